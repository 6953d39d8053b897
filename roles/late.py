"""What is said of a request whose deadline has passed, and of its tasks that waited for a node. Pure."""

from collections.abc import Sequence

from .synthesis.outcome import Outcome

LATE = "the request's deadline passed"
_WAITED = " while it waited: "


def late(unserved: str = "") -> str:
    """Return why a task failed; `unserved`: why no node takes it, where it waited for one."""
    return f"{LATE}{_WAITED}{unserved}" if unserved else LATE


def waited_for(outcomes: Sequence[Outcome]) -> str:
    """Return what the first task that no node took had waited for, to be added; "" for none."""
    for outcome in outcomes:
        _, waited, why = outcome.reason.partition(_WAITED)
        if waited:
            whose = "it" if len(outcomes) == 1 else outcome.step
            return f" while {whose} waited: {why}"
    return ""
