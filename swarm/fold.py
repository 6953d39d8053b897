"""The fold: what follows for a task or a request from its log. Pure."""

from dataclasses import dataclass, replace
from functools import partial

from .entries import (
    Accepted,
    Cancelled,
    Cancelling,
    Dead,
    Done,
    Entry,
    Failed,
    Owner,
    Planned,
    Queued,
    Started,
)
from .records import TERMINAL, Delivery, State


@dataclass(frozen=True, slots=True)
class TaskHead:
    """Where a task stands: its last entry, read."""

    seq: int = 0
    """Sequence of the last message on its subject; 0: there is none."""
    id: str = ""
    """Id of the last entry."""
    state: State = "planned"
    attempt: int = 0
    excused: int = 0
    demand: str = ""
    priority: int = 1
    node: str = ""
    run: str = ""
    delivery: Delivery | None = None
    ack: str = ""
    beat: int = 0
    not_before: float | None = None
    reason: str = ""
    at: float = 0.0
    """Server time of the last entry."""
    started_at: float | None = None
    """Server time of the first `started` seen."""
    queued_at: float | None = None
    """Server time of the first `queued` seen."""
    carried: str = ""
    """The request in which it ended so, where it did not run again."""
    limit: int | None = None
    """Attempts that the running one's holder allows, where its capability's definition says so."""

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL


def fold_task(head: TaskHead, entry: Entry | None, seq: int, at: float) -> TaskHead:
    """Return the head after an entry; None stands for a message that is no entry.

    The first terminal state wins: whatever comes after it moves only the sequence. An entry that
    was folded already changes nothing.
    """
    if seq <= head.seq:
        return head
    if entry is None or head.terminal:
        return replace(head, seq=seq)
    match entry:
        case Queued():
            return TaskHead(
                seq=seq,
                id=entry.id,
                state="queued",
                attempt=entry.attempt,
                excused=entry.excused,
                demand=entry.demand,
                priority=entry.priority,
                not_before=entry.not_before,
                reason=entry.reason,
                at=at,
                started_at=head.started_at,
                queued_at=at if head.queued_at is None else head.queued_at,
            )
        case Started():
            return TaskHead(
                seq=seq,
                id=entry.id,
                state="running",
                attempt=entry.attempt,
                excused=entry.excused,
                demand=entry.demand,
                priority=entry.priority,
                node=entry.node,
                run=entry.run,
                delivery=entry.delivery,
                ack=entry.ack,
                beat=entry.beat,
                at=at,
                started_at=head.started_at or at,
                queued_at=head.queued_at,
                limit=entry.limit,
            )
    base = partial(replace, head, seq=seq, id=entry.id, at=at)
    if isinstance(entry, Done | Failed | Cancelled | Dead) and entry.carried:
        base = partial(base, carried=entry.carried)
    match entry:
        case Done():
            done = base(state="done", reason="", node=entry.node or head.node)
            return replace(done, attempt=entry.attempt) if entry.carried else done
        case Failed():
            return base(state="failed", reason=f"{entry.reason}: {entry.error}")
        case Cancelled():
            return base(state="cancelled", reason=f"{entry.reason}: {entry.why}")
        case Dead():
            return base(state="dead", attempt=entry.attempt, reason=entry.error)
        case _:
            return replace(head, seq=seq)


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Where a request stands: the fold of its own log subject."""

    seq: int = 0
    id: str = ""
    state: State = "queued"
    """`queued` until a coordinator accepts it, then `running` until its end."""
    accepted: bool = False
    owner: str = ""
    run: str = ""
    planned: bool = False
    revision: int = 0
    """Which plan it goes by: 1 is the first; 0: none."""
    cancelling: str = ""
    """Why somebody asked for its end; empty: nobody did."""
    partial: bool = False
    reason: str = ""
    accepted_at: float = 0.0
    at: float = 0.0

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL


def fold_request(head: RequestHead, entry: Entry | None, seq: int, at: float) -> RequestHead:
    """Return the request's head after an entry; the first terminal state wins."""
    if seq <= head.seq:
        return head
    if entry is None or head.terminal:
        return replace(head, seq=seq)
    base = replace(head, seq=seq, id=entry.id, at=at)
    match entry:
        case Accepted():
            return replace(
                base, state="running", accepted=True, owner=entry.owner, run=entry.run, accepted_at=at
            )
        case Owner():
            return replace(base, state="running", accepted=True, owner=entry.owner, run=entry.run)
        case Planned():
            return replace(
                base,
                state="running",
                accepted=True,
                planned=True,
                revision=entry.revision or 1,
                owner=entry.owner,
                run=entry.run,
            )
        case Cancelling():
            return replace(
                base,
                cancelling=entry.why or "cancelled",
                owner=entry.owner or head.owner,
                run=entry.run or head.run,
                state="running" if entry.owner else head.state,
                accepted=head.accepted or bool(entry.owner),
            )
        case Done():
            return replace(base, state="done", partial=entry.partial)
        case Failed():
            return replace(base, state="failed", reason=f"{entry.reason}: {entry.error}")
        case Cancelled():
            return replace(base, state="cancelled", reason=f"{entry.reason}: {entry.why}")
        case _:
            return replace(head, seq=seq)
