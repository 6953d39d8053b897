"""Goals: what must hold, what is aimed at, and whether it was reached."""

from dataclasses import dataclass

from .figures import System, percentile
from .peers import PEERS

TRIPS_OF_B = 3.0
LONGEST_STALL = 1.0
SHARE_OF_B = 0.5
RATE = 3000.0
EIGHT_MS = 8.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal and how it came out."""

    goal: str
    must: bool
    held: bool
    figure: str


def judge(ceiling: System, durable: System, ours: System) -> list[Verdict]:
    """Return a verdict for each goal."""
    most, fewest = max(ours.bursts), min(ours.bursts)
    verdicts = [
        _trip("round trip of a single request", durable, ours, fewest, whole=True),
        _trip("the task's own trip, queued to done", durable, ours, fewest, whole=False),
        Verdict(
            f"no stall over {LONGEST_STALL:g} s", True, ours.stall() <= LONGEST_STALL,
            f"longest {ours.stall() * 1000:.0f} ms",
        ),
        _accounted(ceiling, durable, ours),
    ]  # fmt: skip
    for workers in sorted(ours.bursts):
        share = ours.rate(workers) / durable.rate(workers)
        words = "process" if workers == 1 else "processes"
        goal = f"half of B's tasks/s with {workers} worker {words}"
        verdicts.append(Verdict(goal, False, share >= SHARE_OF_B, f"{share:.2f} of B"))
    best = max(ours.rate(workers) for workers in ours.bursts)
    verdicts.append(Verdict(f"{RATE:,.0f} tasks/s on two cores", False, best >= RATE, f"{best:,.0f} tasks/s"))
    eight = min(percentile(ours.eight[workers].whole, 0.5) for workers in {fewest, most}) * 1000
    verdicts.append(
        Verdict(
            f"8 subtasks out and in under {EIGHT_MS:g} ms", False, eight < EIGHT_MS, f"p50 {eight:.1f} ms"
        )
    )
    verdicts += _peers(ours, best, eight)
    return verdicts


def _trip(goal: str, durable: System, ours: System, workers: int, *, whole: bool) -> Verdict:
    mine, theirs = (
        percentile(trips.whole if whole else trips.task, 0.5)
        for trips in (ours.single[workers], durable.single[workers])
    )
    ratio = mine / theirs
    figure = f"p50 {mine * 1000:.2f} ms, {ratio:.2f} x B's {theirs * 1000:.2f} ms"
    return Verdict(f"{goal}, p50 within {TRIPS_OF_B:g} x B", True, ratio <= TRIPS_OF_B, figure)


def _accounted(*systems: System) -> Verdict:
    runs = [run for system in systems for runs in system.bursts.values() for run in runs]
    lost = sum(run.tasks - run.done for run in runs)
    extra = sum(run.extra for run in runs)
    tasks = sum(run.tasks for run in runs)
    figure = f"{tasks:,} handed in, {lost} missing, {extra} too many or not done"
    return Verdict("every task done exactly once", True, not lost and not extra, figure)


def _peers(ours: System, best: float, eight: float) -> list[Verdict]:
    trip = min(percentile(trips.task, 0.5) for trips in ours.single.values()) * 1000
    cpu = min(ours.cpu(workers) for workers in ours.bursts)
    rows = (
        ("tasks/s", best, [(peer.rate, peer.name) for peer in PEERS], True, "{:,.0f}"),
        ("a task's round trip (ours: queued to done)", trip, [(p.single_ms, p.name) for p in PEERS], False, "{:.2f} ms"),
        ("8 tasks out and in (ours: the whole request)", eight, [(p.eight_ms, p.name) for p in PEERS], False, "{:.1f} ms"),
        ("CPU per 1,000 tasks", cpu, [(p.cpu, p.name) for p in PEERS], False, "{:.2f} s"),
    )  # fmt: skip
    verdicts = []
    for what, mine, others, more in ((row[0], row[1], row[2], row[3]) for row in rows):
        form = next(row[4] for row in rows if row[0] == what)
        ahead = [name for value, name in others if (mine > value if more else mine < value)]
        behind = [name for _, name in others if name not in ahead]
        figure = form.format(mine) + (f", behind {'; '.join(behind)}" if behind else ", ahead of all")
        verdicts.append(Verdict(f"ahead of every durable peer: {what}", False, not behind, figure))
    return verdicts
