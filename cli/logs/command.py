"""`picoclaw logs [NODE]`: the logs of this machine's nodes, together, by time."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import ConfigError, UsageError
from ..completion.offered import LOGGED
from ..errors import echo_warning
from ..printing.output import colours, echo, echo_line, safe, stamp

if TYPE_CHECKING:
    from .node_logs import LogLine, NodeFiles

EVERY = timedelta(milliseconds=200)
"""Pause between two looks at the files with --follow."""
MOST_LINES = 1_000_000_000
COLOURS = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}
_SHOWN_ELSEWHERE = frozenset({"node", "event", "level", "timestamp", "exception"})

EPILOG = """\b
Examples:
  picoclaw logs
  picoclaw logs worker-1 --tail 20 --follow
  picoclaw logs --node worker-1 --since 10m --level warning
  picoclaw logs --json | jq -r .event
  picoclaw logs --files

\b
Each node of yours on this machine writes to ~/.picoclaw/logs, wherever its
swarm is: 10 MB at most, removed a week after it has gone.
Exit codes: 0 done (nothing logged too), 2 wrong usage or no such node,
130 Ctrl-C.
"""


@click.command(epilog=EPILOG)
@click.argument("names", metavar="[NODE]...", nargs=-1, type=LOGGED)
@click.option("--node", "more", multiple=True, metavar="NAME", type=LOGGED, help="As NODE.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option(
    "--tail", "last", type=click.IntRange(0, MOST_LINES), metavar="N", help="Only the last N lines."
)
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Only lines of this level or worse.",
)
@click.option("--since", metavar="DURATION", help="Only what is younger, such as 10m.")
@click.option("--files", is_flag=True, help="Print where the files lie instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they lie there, in JSON.")
def logs(
    names: tuple[str, ...],
    more: tuple[str, ...],
    follow: bool,
    last: int | None,
    level: str | None,
    since: str | None,
    files: bool,
    as_json: bool,
) -> int:
    """Print the logs of this machine's nodes, those of several by time.

    NODE is the name of a node that has run here, or a beginning of one that fits no other; without it,
    all of them. Lines show the time of this machine's zone; --json has UTC.
    """
    from ...swarm.embedded.rundir import picoclaw_home
    from .log_file import log_folder
    from .node_logs import find_logs, merged

    folder = log_folder(picoclaw_home())
    after = _after(since)
    nodes = _chosen(find_logs(folder, echo_warning), (*names, *more), folder)
    if files:
        for node in nodes:
            echo(str(node.path))
        return 0
    if not nodes:
        echo(f"no node has logged yet: the logs of this machine's nodes will lie in {folder}", err=True)
        if not follow:
            return 0
    wanted = _wanted(level, after)
    show = _printer(as_json, max((len(node.name) for node in nodes), default=0))
    # Before what is there is read: a line that comes meanwhile is shown twice at worst, never lost.
    tails = _Tails(folder, nodes, everybody=not (names or more)) if follow else None
    lines = filter(wanted, merged(nodes))
    for line in lines if last is None else deque(lines, maxlen=last):
        show(line)
    if tails is not None:
        _follow(tails, wanted, show)
    return 0


def _after(since: str | None) -> str:
    """Return the time from which on lines are shown, as they spell it."""
    from ...config.durations import parse_duration

    if since is None:
        return ""
    try:
        age = parse_duration(since)
    except ConfigError as error:
        raise UsageError(f"--since: {error}") from None
    return (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _chosen(found: "Sequence[NodeFiles]", typed: Sequence[str], folder: Path) -> "list[NodeFiles]":
    from ...swarm.resolve import the_one

    if not typed:
        return list(found)
    by_name = {files.name: files for files in found}
    hint = f"logged here: {', '.join(by_name) or 'none'}; their logs lie in {folder}"
    chosen = {the_one(name, by_name, "node on this machine", hint=hint) for name in typed}
    return [by_name[name] for name in sorted(chosen)]


def _wanted(level: str | None, after: str) -> "Callable[[LogLine], bool]":
    from .node_logs import LEVELS

    least = LEVELS[level] if level is not None else 0
    return lambda line: line.weight >= least and line.at >= after


def _printer(as_json: bool, width: int) -> "Callable[[LogLine], None]":
    if as_json:
        return lambda line: echo_line(line.whole)
    colour = colours()

    def show(line: "LogLine") -> None:
        words = [
            f"{safe(key)}={safe(str(value))}"
            for key, value in line.whole.items()
            if key not in _SHOWN_ELSEWHERE
        ]
        label = f"{safe(line.level, 8):<8}"
        if colour and line.level in COLOURS:
            label = click.style(label, fg=COLOURS[line.level])
        text = "  ".join([_local(line.at), label, f"{safe(line.node):<{width}}", safe(line.event), *words])
        echo(text.rstrip())
        for detail in str(line.whole.get("exception", "")).splitlines():
            echo(f"    {safe(detail)}")

    return show


def _local(at: str) -> str:
    try:
        return stamp(datetime.fromisoformat(at).timestamp())
    except ValueError:
        return safe(at, 40)


class _Tails:
    """What is added to the logs; with `everybody`, to those of nodes that come later too."""

    def __init__(self, folder: Path, nodes: "Sequence[NodeFiles]", *, everybody: bool) -> None:
        from .node_logs import Tail

        self._folder = folder
        self._everybody = everybody
        self._tails = {files.path: Tail(files) for files in nodes}

    def added(self) -> "list[LogLine]":
        """Return the new lines of all nodes by their time."""
        from .node_logs import Tail, find_logs

        if self._everybody:
            for files in find_logs(self._folder):
                if files.path not in self._tails:
                    self._tails[files.path] = Tail(files, from_start=True)
        lines = [line for tail in self._tails.values() for line in tail.added()]
        return sorted(lines, key=lambda line: line.at)


def _follow(tails: _Tails, wanted: "Callable[[LogLine], bool]", show: "Callable[[LogLine], None]") -> None:
    import sys

    while True:
        for line in filter(wanted, tails.added()):
            show(line)
        # Whoever reads through a pipe shall not wait for its buffer.
        sys.stdout.flush()
        time.sleep(EVERY.total_seconds())
