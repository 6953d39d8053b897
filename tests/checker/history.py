"""What the checker judges: the log, what is left in the queues, and what executors wrote down themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from picoclaw.swarm.entries import Cancelled, Dead, Done, Entry, Failed
from picoclaw.swarm.records import Plan
from picoclaw.swarm.subjects import REQUEST_STEP

TERMINAL = (Done, Failed, Cancelled, Dead)


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of the log."""

    request: str
    step: str
    entry: Entry
    seq: int
    at: float
    """Server time."""

    @property
    def name(self) -> str:
        return self.request if self.step == REQUEST_STEP else f"{self.request}.{self.step}"

    @property
    def ends(self) -> bool:
        return isinstance(self.entry, TERMINAL)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A message that still stands in the work queue or in the inbox."""

    queue: str
    """`TASKS` or `REQUESTS`."""
    request: str
    step: str = REQUEST_STEP


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One execution, as the job itself wrote it down."""

    node: str
    task: str
    attempt: int
    began: float
    ended: float | None = None
    """None: it never came to its end, as its process was killed or stopped."""
    capability: str = ""
    beside: int | None = None
    """How many jobs of its node lived when it began, itself left out."""
    everywhere: int | None = None
    """The same for its capability in the whole swarm."""


@dataclass(frozen=True, slots=True)
class History:
    """Everything there is to judge."""

    log: tuple[Written, ...] = ()
    """In the order of the stream."""
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """Of plans that lie outside the log, by request."""
    leftovers: tuple[Leftover, ...] = ()
    foreign: int = 0
    """Messages of the log that are no entries."""
    handed_in: tuple[str, ...] = ()
    """Requests whose sender was told that they are taken."""
    jobs: tuple[JobRecord, ...] = ()
    slots: Mapping[str, int] = field(default_factory=dict)
    """`max_concurrent` by node; of nodes that stand here not, nothing is asked."""
    caps: Mapping[str, int] = field(default_factory=dict)
    """Limits by capability."""

    def subjects(self) -> dict[tuple[str, str], list[Written]]:
        found: dict[tuple[str, str], list[Written]] = {}
        for written in self.log:
            found.setdefault((written.request, written.step), []).append(written)
        return found


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that does not hold."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


MAY_BE_LATE = frozenset(
    {"lost request", "lost task", "left in the queue", "message without an entry", "unreadable"}
)
"""What a busy machine shows too, for a while; everything else is a defect the first time that it is seen."""
FOR_GOOD = "no later moment mends this"
"""`.ci/run` looks for these words: a test that failed with them does not run again."""


def told(violations: Iterable[Violation]) -> str:
    """Return violations in words, a line each, and in a last one whether they can be no matter of time."""
    found = list(violations)
    last = [FOR_GOOD] if any(violation.rule not in MAY_BE_LATE for violation in found) else []
    return "\n".join([*map(str, found), *last])
