"""Live: what happens to a request, a line at a time, on stderr, so that stdout stays the report's."""

import sys
import time
from dataclasses import dataclass, field

from ..roles.synthesis.markdown import clean
from ..swarm.entries import (
    Accepted,
    Cancelled,
    Cancelling,
    Dead,
    Done,
    Failed,
    Owner,
    Planned,
    Queued,
    Started,
)
from ..swarm.records import Plan
from ..swarm.subjects import REQUEST_STEP
from ..swarm.submission import Event, LogEvent, Progress

_WIDTH = 100
_GREEN, _RED, _YELLOW, _DIM, _PLAIN = "32", "31", "33", "2", "0"


@dataclass(slots=True)
class LiveLines:
    """Prints events as lines; quiet prints nothing."""

    quiet: bool = False
    began: float = field(default_factory=time.monotonic)
    nodes: dict[str, str] = field(default_factory=dict)
    """Step to the node that ran it last."""

    def say(self, text: str, colour: str = _PLAIN) -> None:
        """Print one line with the time since the beginning."""
        if self.quiet:
            return
        stamp = f"{time.monotonic() - self.began:6.1f}s"
        if sys.stderr.isatty() and colour != _PLAIN:
            text = f"\x1b[{colour}m{text}\x1b[0m"
        print(f"{stamp}  {text}", file=sys.stderr, flush=True)

    def show(self, event: Event) -> None:
        """Print what an event means."""
        if isinstance(event, Progress):
            self.say(f"{event.step:<10} {clean(event.message, _WIDTH)}", _DIM)
        elif isinstance(event, LogEvent):
            if event.step == REQUEST_STEP:
                self._request(event)
            else:
                self._task(event)

    def _request(self, event: LogEvent) -> None:
        match event.entry:
            case Accepted():
                self.say(f"accepted by {clean(event.entry.owner, 60)}")
            case Owner():
                self.say(f"taken over by {clean(event.entry.owner, 60)}", _YELLOW)
            case Planned():
                self._plan(event.entry.plan)
            case Cancelling():
                self.say(f"cancelling: {clean(event.entry.why, _WIDTH)}", _YELLOW)
            case _:
                return

    def _plan(self, plan: Plan | None) -> None:
        if plan is None:
            self.say("planned")
            return
        origin = f"template {plan.template}" if plan.template else "one task"
        self.say(f"planned ({origin}): {len(plan.tasks)} task{'s' if len(plan.tasks) != 1 else ''}")
        if not plan.template:
            return
        for task in plan.tasks[:20]:
            after = f" after {', '.join(task.after)}" if task.after else ""
            self.say(f"  {task.step:<10} needs {task.demand}{after}")
        if len(plan.tasks) > 20:
            self.say(f"  … and {len(plan.tasks) - 20} more")

    def _task(self, event: LogEvent) -> None:
        entry, step = event.entry, f"{event.step:<10}"
        match entry:
            case Queued() if entry.attempt > 1 or entry.reason not in ("", "released"):
                self.say(f"{step} queued again: {clean(entry.reason, _WIDTH)}", _YELLOW)
            case Started():
                self.nodes[event.step] = entry.node
                again = f" (attempt {entry.attempt})" if entry.attempt > 1 else ""
                self.say(f"{step} running on {clean(entry.node, 60)}{again}")
            case Done():
                self.say(f"{step} done: {clean(entry.result.summary, _WIDTH)}", _GREEN)
            case Failed():
                self.say(f"{step} failed: {clean(entry.error, _WIDTH)}", _RED)
            case Cancelled():
                self.say(f"{step} {entry.reason}: {clean(entry.why, _WIDTH)}", _YELLOW)
            case Dead():
                self.say(f"{step} given up: {clean(entry.error, _WIDTH)}", _RED)
            case _:
                return
