"""Questions as they are printed, and in their stable JSON form."""

from typing import TYPE_CHECKING, Any

from ..printing.formats import Listing
from ..printing.output import age, iso, safe

if TYPE_CHECKING:
    from ...swarm.approvals.record import ApprovalRecord

TEXT, WHOLE = 300, 4000
"""Characters of a question, and all that it can have."""
ABOUT = {"tool": "use of a tool", "uncertain": "an uncertain step", "budget": "a spent budget"}


def state_of(record: "ApprovalRecord", now: float) -> str:
    """Return how a question stands: waiting, expired, allowed, denied or skipped."""
    if record.verdict is None:
        return "waiting" if now < record.expires_at else "expired"
    return {"allow": "allowed", "deny": "denied", "skip": "skipped"}[record.verdict]


def approval_json(record: "ApprovalRecord", now: float) -> dict[str, Any]:
    """Return the stable JSON form."""
    return {
        "id": record.id,
        "task": record.task,
        "request": record.request,
        "about": record.about,
        "tool": record.tool or None,
        "text": record.text,
        "rules": list(record.rules),
        "node": record.node,
        "state": state_of(record, now),
        "asked_at": iso(record.asked_at),
        "expires_at": iso(record.expires_at),
        "by": record.by or None,
        "why": record.why or None,
        "always": record.always,
        "answered_at": iso(record.answered_at) if record.answered_at is not None else None,
    }


def listing(now: float, *, everything: bool) -> Listing["ApprovalRecord"]:
    """Return how questions are printed at a server time."""

    def expires(record: "ApprovalRecord") -> str:
        return f"in {age(record.expires_at - now)}" if record.open(now) else "-"

    first = (
        ("ID", lambda record: safe(record.id)),
        ("TASK", lambda record: safe(record.task)),
    )
    state = (("STATE", lambda record: state_of(record, now)),)
    asked = (
        ("ASKED", lambda record: f"{age(now - record.asked_at)} ago"),
        ("EXPIRES", expires),
    )
    text = (("WHAT", lambda record: safe(record.text, TEXT)),)
    return Listing(
        columns=(*first, *(state if everything else ()), *asked, *text),
        wide=(
            *first,
            *state,
            *asked,
            ("ABOUT", lambda record: ABOUT[record.about]),
            ("NODE", lambda record: safe(record.node)),
            ("RULES", lambda record: safe("; ".join(record.rules)) or "-"),
            ("BY", lambda record: safe(record.by) or "-"),
            ("WHY", lambda record: safe(record.why, TEXT) or "-"),
            ("WHAT", lambda record: safe(record.text, WHOLE)),
        ),
        name=lambda record: safe(record.id),
        form=lambda record: approval_json(record, now),
        empty="no agent asks for anything" if everything else "no agent waits for an answer",
    )
