"""What is typed at a question: from a line to an answer. Pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...swarm.approvals.record import ApprovalRecord, Verdict

LONGEST_WHY = 1000


@dataclass(frozen=True, slots=True)
class Typed:
    """An answer."""

    verdict: "Verdict"
    why: str = ""
    always: bool = False


def choices(record: "ApprovalRecord") -> str:
    """Return what can be typed, in one line."""
    what = {"tool": "allow it?", "uncertain": "do it again?", "budget": "as much again?"}[record.about]
    more = ["[a]lways"] if record.rules else []
    more += ["[s]kip it"] if record.about == "uncertain" else []
    return f"{what} [y]es, {', '.join([*more, '[n]o'])}, or: n WHY"


def read_answer(line: str, record: "ApprovalRecord") -> Typed | str:
    """Return the answer that a line gives, or in words what can be typed. Nothing typed answers nothing."""
    word, _, why = line.strip().partition(" ")
    why = why.strip()
    if len(why) > LONGEST_WHY:
        return f"that has {len(why)} characters: shorten it to {LONGEST_WHY} at most"
    match word.lower().rstrip(",:;."):
        case "y" | "yes":
            return Typed("allow", why)
        case "n" | "no":
            return Typed("deny", why)
        case "a" | "always" if record.rules:
            return Typed("allow", why, always=True)
        case "s" | "skip" if record.about == "uncertain":
            return Typed("skip", why)
    return f"{choices(record)}; it waits until you answer, here or by `picoclaw approve {record.id}`"
