"""`picoclaw demo`: shows that prove a promise before one's eyes."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ..aliases import AliasGroup
from ..hangup import TERMINATED, stop_as_ctrl_c_does
from ..printing.output import echo, echo_json, echo_table

if TYPE_CHECKING:
    from ...swarm.proof import Count, Proof
    from .crash import Shown

EPILOG = """\b
Examples:
  picoclaw demo crash
  picoclaw demo crash --json

\b
A show needs no key and no network, and touches nothing of yours: it brings up
a swarm of its own in a temporary folder, which is gone when it ends.
Exit codes: 0 proven, 1 not proven or not finished, 130 Ctrl-C.
"""
CRASH = """\b
Examples:
  picoclaw demo crash
  picoclaw demo crash --json

\b
Exit codes: 0 every accepted request and task finished once: nothing doubled,
nothing lost; 1 not so, or the swarm did not recover (the logs are kept, and
it says where); 130 Ctrl-C.
"""


@click.group(cls=AliasGroup, aliases={}, epilog=EPILOG)
def demo() -> None:
    """Show that nothing is lost, on a swarm of its own."""


@demo.command(epilog=CRASH, short_help="Kill worker, coordinator and server; prove that nothing is lost.")
@click.option("--json", "as_json", is_flag=True, help="Print what was proven as JSON, and nothing else.")
def crash(as_json: bool) -> int:
    """Kill a worker, the coordinator and the server in turn, and prove by the log that nothing is lost.

    It takes about half a minute: a swarm of five real processes gets a request of
    161 short tasks in three layers, and after each kill -9 the show waits until
    the work goes on by itself. The table at the end is read from the log, and
    from what the jobs themselves wrote down.

    \b
    --json: an object with proven, accepted, finished, doubled, lost (tasks),
    requests (the same of requests), states, attempts, again (why further
    attempts were made), begun and runs (by the jobs' own count), broken, faults
    (killed, what, seconds, seen), seconds, logs (null, or where they are kept).
    """
    import logging

    logging.getLogger("picoclaw").setLevel(logging.CRITICAL)
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    try:
        shown = asyncio.run(_crash(quiet=as_json))
    except asyncio.CancelledError:
        return TERMINATED
    if as_json:
        echo_json(as_data(shown))
    else:
        print_shown(shown)
    return 0 if shown.kept is None else 1


async def _crash(*, quiet: bool) -> "Shown":
    from ..printing.live import LiveLines
    from .crash import crash_show
    from .scene import Scene
    from .ticker import Ticker

    stop_as_ctrl_c_does()
    lines = LiveLines(quiet=quiet)

    async def watched(scene: Scene) -> None:
        if not quiet:
            await Ticker().watch(scene)

    return await crash_show(lines.say, watched)


def as_data(shown: "Shown") -> dict[str, Any]:
    """Return the show as programs read it."""
    proof = shown.proof
    return {
        "proven": shown.kept is None,
        **asdict(proof.tasks),
        "requests": asdict(proof.requests),
        "states": dict(proof.states),
        "attempts": proof.attempts,
        "again": dict(proof.again),
        "begun": proof.effects.begun if proof.effects else None,
        "runs": proof.effects.ended if proof.effects else None,
        "broken": list(proof.broken),
        "faults": [asdict(fault) for fault in shown.faults],
        "seconds": round(shown.seconds, 3),
        "logs": str(shown.kept) if shown.kept else None,
    }


def print_shown(shown: "Shown") -> None:
    """Print the tables, and the verdict."""
    proof = shown.proof
    echo("")
    echo_table(
        ("KILLED -9", "RECOVERED AFTER", "WHAT SHOWED IT"),
        [(fault.killed, f"{fault.seconds:.1f} s", fault.seen) for fault in shown.faults],
    )
    echo("")
    echo_table(
        ("BY THE LOG", "ACCEPTED", "FINISHED", "DOUBLED", "LOST"),
        [_row("requests", proof.requests), _row("tasks", proof.tasks)],
    )
    echo("")
    for line in explained(proof):
        echo(line)
    echo(
        "Nothing was lost and nothing was done twice over: each accepted task has one end in the log."
        if shown.kept is None
        else f"This is not as promised; the logs are kept in {shown.kept}"
    )


def explained(proof: "Proof") -> list[str]:
    """Return in words why there were more attempts than tasks, and what the jobs say themselves."""
    accepted = proof.tasks.accepted
    lines = [f"{proof.attempts} attempts for {accepted} tasks" + ("" if proof.again else ".")]
    if proof.again:
        lines[0] += (
            "; those beyond the first: " + ", ".join(f"{n} {why}" for why, n in proof.again.items()) + "."
        )
    if proof.effects is not None:
        begun, ended = proof.effects.begun, proof.effects.ended
        cut = f"{begun - ended} cut off in the middle" if begun > ended else "none cut off"
        lines.append(f"By the jobs' own count {begun} began and {ended} came to their end ({cut}).")
    return [*lines, *(f"BROKEN: {what}" for what in proof.broken[:20])]


def _row(what: str, count: "Count") -> tuple[str, ...]:
    return (what, *(str(n) for n in (count.accepted, count.finished, count.doubled, count.lost)))
