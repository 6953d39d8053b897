"""Live: what happens to a request, a line at a time, on stderr, so that stdout stays the report's."""

import sys
import time
from dataclasses import dataclass, field

from ...capabilities.agent.approvals.asking import WAITS
from ...roles.synthesis.markdown import clean
from ...swarm.entries import (
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
from ...swarm.records import Plan
from ...swarm.subjects import REQUEST_STEP
from ...swarm.submission import Ended, Event, LogEvent, Progress, Said
from .output import colours, hush
from .planned import origin

_WIDTH = 100
_GREEN, _RED, _YELLOW, _DIM, _PLAIN = "32", "31", "33", "2", "0"


@dataclass(slots=True)
class LiveLines:
    """Prints events as lines; quiet prints nothing."""

    quiet: bool = False
    began: float = field(default_factory=time.monotonic)
    """When it began, on this machine's clock."""
    origin: float | None = None
    """The same by the server's time, where what is shown began earlier; None: what comes is shown as it comes."""
    nodes: dict[str, str] = field(default_factory=dict)
    """Step to the node that ran it last."""
    saying: dict[str, str] = field(default_factory=dict)
    """Step to the line that its agent has not ended yet."""
    prompt: str = ""
    """What waits below the lines for an answer; empty: nothing."""
    questions_told: bool = False
    """Somebody else tells what agents ask, and how it is answered."""

    def say(self, text: str, colour: str = _PLAIN, *, at: float | None = None) -> None:
        """Print one line with the time since the beginning; `at`: the server's time of what it tells."""
        if self.quiet:
            return
        seconds = time.monotonic() - self.began
        if self.origin is not None and at is not None:
            seconds = at - self.origin
        stamp = f"{seconds:6.1f}s"
        if colour != _PLAIN and colours(sys.stderr):
            text = f"\x1b[{colour}m{text}\x1b[0m"
        hush()
        above, below = ("\r\x1b[K", self.prompt) if self.prompt else ("", "")
        print(f"{above}{stamp}  {text}\n{below}", end="", file=sys.stderr, flush=True)

    def draw_prompt(self, text: str) -> None:
        """Put a prompt below all that is printed from now on; empty: there is none any more."""
        if text and not self.prompt:
            hush()
            print(text, end="", file=sys.stderr, flush=True)
        elif self.prompt and not text:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self.prompt = text

    def show(self, event: Event) -> None:
        """Print what an event means."""
        if isinstance(event, Said):
            self._said(event)
            return
        if not isinstance(event, Ended) and (begun := self.saying.pop(event.step, "")):
            self._line(event.step, begun)
        if isinstance(event, Progress):
            if self.questions_told and event.message.startswith(WAITS):
                return
            self.say(f"{event.step:<10} {clean(event.message, _WIDTH)}", _DIM)
        elif isinstance(event, LogEvent):
            if event.step == REQUEST_STEP:
                self._request(event)
            else:
                self._task(event)

    def _said(self, event: Said) -> None:
        """Print what an agent says, a line at a time."""
        *ended, begun = (self.saying.get(event.step, "") + event.text).split("\n")
        *whole, self.saying[event.step] = _broken(begun)
        for line in [*(part for one in ended for part in _broken(one)), *whole]:
            self._line(event.step, line)

    def _line(self, step: str, line: str) -> None:
        if line.strip():
            self.say(f"{step:<10} │ {clean(line, _WIDTH)}", _DIM)

    def catch_up(self, origin: float, now: float) -> None:
        """Count from a moment in the past; both by the server's time, in seconds."""
        self.origin = origin
        self.began = time.monotonic() - max(0.0, now - origin)

    def _request(self, event: LogEvent) -> None:
        match event.entry:
            case Accepted():
                self.say(f"accepted by {clean(event.entry.owner, 60)}", at=event.at)
            case Owner():
                self.say(f"taken over by {clean(event.entry.owner, 60)}", _YELLOW, at=event.at)
            case Planned():
                self._plan(event.entry.plan, event.at)
            case Cancelling():
                self.say(f"cancelling: {clean(event.entry.why, _WIDTH)}", _YELLOW, at=event.at)
            case _:
                return

    def _plan(self, plan: Plan | None, at: float) -> None:
        if plan is None:
            self.say("planned", at=at)
            return
        told = clean(origin(plan), _WIDTH)
        self.say(f"planned ({told}): {len(plan.tasks)} task{'s' if len(plan.tasks) != 1 else ''}", at=at)
        if not plan.template and (plan.planning is None or plan.planning.by != "model"):
            return
        for task in plan.tasks[:20]:
            after = f" after {', '.join(task.after)}" if task.after else ""
            self.say(f"  {task.step:<10} needs {task.demand}{after}", at=at)
        if len(plan.tasks) > 20:
            self.say(f"  … and {len(plan.tasks) - 20} more", at=at)

    def _task(self, event: LogEvent) -> None:
        entry, step = event.entry, f"{event.step:<10}"
        match entry:
            case Queued() if entry.attempt > 1 or entry.reason not in ("", "released"):
                self.say(f"{step} queued again: {clean(entry.reason, _WIDTH)}", _YELLOW, at=event.at)
            case Started():
                self.nodes[event.step] = entry.node
                again = f" (attempt {entry.attempt})" if entry.attempt > 1 else ""
                self.say(f"{step} running on {clean(entry.node, 60)}{again}", at=event.at)
            case Done() | Failed() | Cancelled() | Dead() if entry.carried:
                where = f"{entry.kind}, carried from {clean(entry.carried, 60)}"
                self.say(f"{step} {where}", _DIM, at=event.at)
            case Done():
                self.say(f"{step} done: {clean(entry.result.summary, _WIDTH)}", _GREEN, at=event.at)
            case Failed():
                self.say(f"{step} failed: {clean(entry.error, _WIDTH)}", _RED, at=event.at)
            case Cancelled():
                self.say(f"{step} {entry.reason}: {clean(entry.why, _WIDTH)}", _YELLOW, at=event.at)
            case Dead():
                self.say(f"{step} given up: {clean(entry.error, _WIDTH)}", _RED, at=event.at)
            case _:
                return


def _broken(line: str) -> list[str]:
    """Return a line as lines that fit, broken between words where there are any."""
    lines = []
    while len(line) > _WIDTH:
        head, space, tail = line[:_WIDTH].rpartition(" ")
        lines.append(head if space else line[:_WIDTH])
        line = (tail if space else "") + line[_WIDTH:]
    return [*lines, line]
