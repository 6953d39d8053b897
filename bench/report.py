"""Report: the table that people read, and the same as JSON."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .beats import Beats
from .copies import Cost
from .figures import Run, System, Trips, percentile
from .goals import Verdict

LEGEND = """\
A     the ceiling: bare nats-py; publish, long-lived pull, ack, core reply; nothing is written down
B     the durable ceiling: bare nats-py doing the same log writes as our task's life, on our streams. Its
      burst is queued and followed by the client itself; its rounds go through a coordinator process
ours  submit, inbox, coordinator, queue, worker and log as they ship, logs at level info
Round trip: from handing in (ours: the call of `submit`) to the client holding the last result. Task trip:
from `queued` to `done` (of 8: first to last) by the server's clock, the same in B and ours.
Ratios under 1.5 are noise on a busy machine; foreign = cores that other processes used meanwhile."""


@dataclass(slots=True)
class Outcome:
    """All that one run of the bench found."""

    ceiling: System
    durable: System
    ours: System
    max_concurrent: int
    idle_rss: float
    """Memory of a worker that has not worked yet, in MB."""
    used_rss: float
    """Memory of the same worker at the end, in MB."""
    start: float
    beats: Beats
    seconds: float
    cores: int
    server: str
    copies: tuple[Cost, ...] = ()
    """One copy of each stream, and three."""

    @property
    def systems(self) -> tuple[System, System, System]:
        return self.ceiling, self.durable, self.ours


def as_data(outcome: Outcome, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return everything, as plain data."""
    return {
        "max_concurrent": outcome.max_concurrent,
        "cores": outcome.cores,
        "server": outcome.server,
        "seconds": outcome.seconds,
        "systems": {system.name: _system_data(system) for system in outcome.systems},
        "idle_worker_mb": outcome.idle_rss,
        "worked_worker_mb": outcome.used_rss,
        "start_to_first_task_s": outcome.start,
        "heartbeats": asdict(outcome.beats),
        "copies": [asdict(cost) for cost in outcome.copies],
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }


def _system_data(system: System) -> dict[str, Any]:
    return {
        "stall_s": system.stall(),
        "workers": {
            str(workers): {
                "tasks_per_s": system.rate(workers),
                "cpu_s_per_1000": system.cpu(workers),
                "bursts": [asdict(run) for run in runs],
                "single_ms": _trip_data(system.single[workers]),
                "eight_ms": _trip_data(system.eight[workers]),
            }
            for workers, runs in system.bursts.items()
        },
    }


def _trip_data(trips: Trips) -> dict[str, Any]:
    return {
        name: {"p50": _ms(values, 0.5), "p99": _ms(values, 0.99), "longest": _ms(values, 1), "n": len(values)}
        for name, values in asdict(trips).items()
        if values
    }


def _ms(values: Sequence[float], share: float) -> float:
    return percentile(values, share) * 1000


def print_table(outcome: Outcome, verdicts: Sequence[Verdict]) -> None:
    """Print the table, the legend and the verdicts."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=118, highlight=False)
    table = Table(
        title=f"no-op tasks, 200 bytes in and out; max_concurrent {outcome.max_concurrent} in A, B and ours"
    )
    for heading in ("", "A", "B", "ours", "ours : B"):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in _rows(outcome):
        table.add_row(*row)
    console.print(table)
    console.print(LEGEND)
    console.print()
    for line in (*_copies(outcome.copies), _beats(outcome.beats)):
        console.print(line, soft_wrap=True)
    console.print()
    for verdict in verdicts:
        word = "held  " if verdict.held else "MISSED"
        kind = "must hold" if verdict.must else "aimed at "
        console.print(f"{word}  {kind}  {verdict.goal}: {verdict.figure}", soft_wrap=True)
    console.print(
        f"\n{outcome.cores} cores, nats-server {outcome.server}, file storage, {outcome.seconds:.0f} s in all"
    )


def _copies(costs: Sequence[Cost]) -> list[str]:
    lines = [
        f"{cost.replicas} cop{'y' if cost.replicas == 1 else 'ies'} of each stream, three servers: "
        f"{cost.rate:,.0f} tasks/s, a request there and back {cost.trip_ms:.2f} ms, "
        f"a bare publish {cost.store_ms:.2f} ms (p50)"
        for cost in costs
    ]
    if len(costs) == 2:
        one, three = costs
        lines.append(
            f"three copies beside one: {three.rate / one.rate:.2f} of the tasks/s, round trip "
            f"x {three.trip_ms / one.trip_ms:.2f} (bare publish x {three.store_ms / one.store_ms:.2f})"
        )
    return lines


def _beats(beats: Beats) -> str:
    return (
        f"heartbeats of {beats.nodes:,} nodes: {beats.cpu_per_1000:.3f} CPU s of a coordinator per 1,000, "
        f"{100 * beats.idle:.1f} % of a core without them, {beats.grown_mb:.0f} MB more memory"
    )


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for workers in sorted(outcome.ours.bursts):
        words = f"{workers} worker{'s' if workers > 1 else ''}"
        rows += [
            _burst_row(outcome, f"tasks/s, {words}", workers, lambda run: run.rate, "{:,.0f}"),
            _burst_row(outcome, f"CPU s per 1,000, {words}", workers, lambda run: run.cpu_per_1000, "{:.3f}"),
            _burst_row(outcome, "  ms to the first result", workers, lambda run: 1000 * run.first, "{:.0f}"),
            _burst_row(outcome, "  foreign cores", workers, lambda run: run.foreign, "{:.1f}", ratio=False),
            _burst_row(outcome, "  load average", workers, lambda run: run.load, "{:.1f}", ratio=False),
            _trip_row(
                outcome, f"1 task, round trip, {words}", workers, lambda s: s.single, lambda t: t.whole
            ),
            _trip_row(outcome, "  task trip", workers, lambda s: s.single, lambda t: t.task),
            _trip_row(outcome, "  to the request's end", workers, lambda s: s.single, lambda t: t.end),
            _trip_row(
                outcome, f"8 tasks, round trip, {words}", workers, lambda s: s.eight, lambda t: t.whole
            ),
            _trip_row(outcome, "  first queued to last done", workers, lambda s: s.eight, lambda t: t.task),
        ]
    stalls = [f"{system.stall() * 1000:.0f} ms" for system in outcome.systems]
    rows.append(("longest stall", *stalls, ""))
    rows.append(
        (
            "memory of an idle worker (after the bursts)",
            "",
            "",
            f"{outcome.idle_rss:.0f} ({outcome.used_rss:.0f}) MB",
            "",
        )
    )
    rows.append(("process start to first task", "", "", f"{outcome.start:.2f} s", ""))
    return rows


def _burst_row(
    outcome: Outcome, title: str, workers: int, read: Callable[[Run], float], form: str, *, ratio: bool = True
) -> tuple[str, ...]:
    cells, medians = [], []
    for system in outcome.systems:
        values = sorted(read(run) for run in system.bursts[workers])
        medians.append(statistics.median(values))
        spread = f" ({form.format(values[0])}-{form.format(values[-1])})" if len(values) > 1 else ""
        cells.append(form.format(medians[-1]) + spread)
    return (title, *cells, f"{medians[2] / medians[1]:.2f}" if ratio and medians[1] else "")


def _trip_row(
    outcome: Outcome,
    title: str,
    workers: int,
    which: Callable[[System], dict[int, Trips]],
    read: Callable[[Trips], list[float]],
) -> tuple[str, ...]:
    cells, medians = [], []
    for system in outcome.systems:
        values = read(which(system)[workers])
        medians.append(percentile(values, 0.5) if values else 0.0)
        cells.append(f"{_ms(values, 0.5):.2f} / {_ms(values, 0.99):.1f} ms" if values else "")
    ratio = f"{medians[2] / medians[1]:.2f}" if medians[1] and medians[2] else ""
    return (f"{title}{' p50 / p99' if not title.startswith(' ') else ''}", *cells, ratio)
