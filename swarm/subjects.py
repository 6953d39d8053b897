"""Names on the wire: every subject, stream, bucket and header, spelled in this one module.

A name that comes from outside (H-id, node, agent, demand, idempotency key) is carried as a token: a
readable slug and ten hex digits of its SHA-256, so that dots, spaces, wildcards and any alphabet
are fine and two names never meet (DESIGN.md section 5).
"""

import base64
import hashlib
import re
from dataclasses import dataclass, field

REQUEST_STEP = "_"
"""Last token of the request's own log subject."""
REQUEST_ID = re.compile(r"r-[a-z2-7]{16}")
LEVELS = (0, 1, 2, 3)
"""Priorities, low to critical."""

EXPECTED_SUBJECT_SEQ = "Nats-Expected-Last-Subject-Sequence"
SCHEDULE = "Nats-Schedule"
SCHEDULE_TARGET = "Nats-Schedule-Target"
SCHEDULE_ZONE = "Nats-Schedule-Time-Zone"
TRACEPARENT = "traceparent"
"""W3C Trace Context, as others who trace the server's messages read it; ours stands in the record too."""
FIRED = "cron-"
"""Begins the last token of a fired schedule in the inbox, where a request's has its id."""

SHARED_BUCKET = "picoclaw"
"""The one bucket that all H-ids of an account share; it holds the default H-id."""
DEFAULT_HID_KEY = "default_hid"


def token(name: str) -> str:
    """Return the wire token of a name from outside: `[a-z0-9-]`, at most 35 characters."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{slug}-{digest}" if slug else digest


def request_id(key: str) -> tuple[str, str]:
    """Return the request id of an idempotency key, and the key's whole SHA-256 in hex."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass"))
    return "r-" + base64.b32encode(digest.digest()[:10]).decode().lower(), digest.hexdigest()


def task_id(request: str, step: str) -> str:
    """Return a task's id, `<request>.<step>`."""
    return f"{request}.{step}"


def split_task_id(task: str) -> tuple[str, str]:
    """Return the request and the step of a task's id."""
    request, _, step = task.partition(".")
    return request, step


@dataclass(frozen=True, slots=True)
class Names:
    """All names of one H-id."""

    hid: str
    slug: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slug", token(self.hid))

    def _stream(self, kind: str) -> str:
        return f"PICOCLAW_{kind}_{self.slug}"

    def _subject(self, *tokens: str) -> str:
        return ".".join(("picoclaw", self.slug, *tokens))

    @property
    def tasks(self) -> str:
        return self._stream("TASKS")

    @property
    def requests(self) -> str:
        return self._stream("REQUESTS")

    @property
    def log(self) -> str:
        return self._stream("LOG")

    @property
    def journal(self) -> str:
        return self._stream("JOURNAL")

    @property
    def events(self) -> str:
        return self._stream("EVENTS")

    @property
    def members(self) -> str:
        return self._stream("MEMBERS")

    @property
    def dead_letters(self) -> str:
        return self._stream("DLQ")

    @property
    def leases(self) -> str:
        """Bucket of singleton leases."""
        return f"picoclaw_leases_{self.slug}"

    @property
    def lanes(self) -> str:
        """Bucket of the known lanes."""
        return f"picoclaw_lanes_{self.slug}"

    @property
    def blackboard(self) -> str:
        """Bucket of what the tasks of a request share."""
        return f"picoclaw_blackboard_{self.slug}"

    @property
    def approvals(self) -> str:
        """Bucket of what agents ask people."""
        return f"picoclaw_approvals_{self.slug}"

    @property
    def spending(self) -> str:
        """Bucket of what was spent, by task, request tree and day."""
        return f"picoclaw_spending_{self.slug}"

    @property
    def mail(self) -> str:
        return self._stream("MAIL")

    def letter(self, kind: str, address: str, key: str) -> str:
        """Return where one letter lies; `*` as key is the filter of a mailbox."""
        return self._subject("mail", kind, token(address), key if key == "*" else token(key))

    @property
    def registry(self) -> str:
        """Bucket of what operators set for the whole swarm: limits, agents."""
        return f"picoclaw_registry_{self.slug}"

    @property
    def artifacts(self) -> str:
        """Bucket of the object store."""
        return f"picoclaw_artifacts_{self.slug}"

    def task(self, lane: str, priority: int, request: str, step: str) -> str:
        return self._subject("task", lane, str(priority), request, step)

    def lane_filter(self, lane: str, priority: int | None) -> str:
        """Return what a lane's consumer takes; None: every priority (lanes with one consumer)."""
        return self._subject("task", lane, "*" if priority is None else str(priority), "*", "*")

    def lane_consumer(self, lane: str, priority: int | None) -> str:
        return f"lane-{lane}-{'all' if priority is None else priority}"

    def tasks_of(self, request: str, step: str = "*") -> str:
        return self._subject("task", "*", "*", request, step)

    def delay(self, request: str, step: str) -> str:
        return self._subject("delay", request, step)

    def inbox(self, priority: int, request: str) -> str:
        return self._subject("request", str(priority), request)

    def inbox_of(self, request: str) -> str:
        """Return the filter for a request in the inbox, at whatever priority."""
        return self._subject("request", "*", request)

    def inbox_filter(self, priority: int) -> str:
        return self._subject("request", str(priority), "*")

    def inbox_consumer(self, priority: int) -> str:
        return f"inbox-{priority}"

    def later(self, request: str) -> str:
        """Return where a request waits for its time, on the stream of the inbox."""
        return self._subject("later", request)

    def cron(self, schedule: str) -> str:
        """Return where a recurring request stands, on the stream of the inbox."""
        return self._subject("cron", token(schedule))

    def fired(self, priority: int, schedule: str) -> str:
        """Return where the server puts what a recurring request fires, in the inbox."""
        return self.inbox(priority, f"{FIRED}{token(schedule)}")

    def fired_of(self, schedule: str) -> str:
        """Return the filter for what a recurring request has fired, at whatever priority."""
        return self.inbox_of(f"{FIRED}{token(schedule)}")

    def log_of(self, request: str, step: str = REQUEST_STEP) -> str:
        return self._subject("log", request, step)

    def log_filter(self, request: str = "*") -> str:
        """Return the filter for a request's whole log, or for all logs."""
        return self._subject("log", request, ">") if request != "*" else self._subject("log", ">")

    def journal_of(self, request: str, step: str = "*") -> str:
        """Return where a task's journal stands, or the filter for those of a whole request."""
        return self._subject("journal", request, step)

    def event(self, request: str, step: str) -> str:
        return self._subject("event", request, step)

    def member(self, node: str) -> str:
        return self._subject("node", token(node))

    def probe(self, node: str) -> str:
        return self._subject("probe", token(node))

    def control(self, node: str) -> str:
        return self._subject("control", token(node))

    def dead_letter(self, request: str, step: str) -> str:
        return self._subject("dead", request, step)

    @property
    def open_requests(self) -> str:
        """Where a coordinator tells how many requests are open."""
        return self._subject("open")

    def wildcard(self, kind: str) -> str:
        """Return every subject of one kind, as a stream captures them."""
        return self._subject(kind, ">")


def split_log_subject(subject: str) -> tuple[str, str]:
    """Return the request and the step of a log, event or task subject."""
    request, step = subject.rsplit(".", 2)[-2:]
    return request, step
