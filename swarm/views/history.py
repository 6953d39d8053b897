"""A log as people read it: one row per entry."""

from dataclasses import dataclass

from ..entries import (
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One entry; `at` is the server's time."""

    at: float
    seq: int
    step: str
    """Empty for the request itself."""
    what: str
    attempt: int | None = None
    node: str = ""
    """Who held it, or whom it was given to."""
    by: str = ""
    """Who wrote the entry."""
    reason: str = ""


def history_row(entry: Entry | None, *, seq: int, at: float, step: str) -> HistoryRow:
    """Return the row of an entry; None stands for a message that is no entry."""

    def row(what: str, reason: str = "", *, attempt: int | None = None, node: str = "") -> HistoryRow:
        by = entry.by if entry is not None else ""
        return HistoryRow(
            at=at, seq=seq, step=step, what=what, attempt=attempt, node=node, by=by, reason=reason
        )

    carried = ""
    if isinstance(entry, Done | Failed | Cancelled | Dead) and entry.carried:
        carried = f"carried from {entry.carried}: "
    match entry:
        case None:
            return row("foreign", "a message that is no entry of ours; ignored")
        case Queued():
            later = f"; not before {entry.not_before - at:.0f} s later" if entry.not_before else ""
            return row("queued", entry.reason + later, attempt=entry.attempt)
        case Started():
            again = f"delivery {entry.delivery.count}" if entry.delivery.count > 1 else ""
            return row("running", again, attempt=entry.attempt, node=entry.node)
        case Done():
            partial = "partial: " if entry.partial else ""
            attempt = entry.attempt if step else None
            return row("done", carried + partial + entry.result.summary, attempt=attempt, node=entry.node)
        case Failed():
            attempt = entry.attempt or None
            return row("failed", f"{carried}{entry.reason}: {entry.error}", attempt=attempt, node=entry.node)
        case Cancelled():
            return row("cancelled", f"{carried}{entry.reason}: {entry.why}")
        case Dead():
            return row("dead", carried + entry.error, attempt=entry.attempt, node=entry.node)
        case Accepted():
            return row("accepted", node=entry.owner)
        case Owner():
            return row("taken over", node=entry.owner)
        case Planned():
            number = len(entry.plan.tasks) if entry.plan is not None else None
            tasks = "a large plan" if number is None else f"{number} task{'s' if number != 1 else ''}"
            again = f", revision {entry.revision}" if entry.revision else ""
            return row("planned", tasks + again, node=entry.owner)
        case Cancelling():
            return row("cancelling", entry.why)
