"""Whether a request that came again under its key is the same one. Pure."""

from collections.abc import Mapping

from pydantic import JsonValue

from .records import Request

CHANGE = "change"
"""The input that holds what changed since a commit."""
_APART = {
    "sender", "ref", "firing", "priority", "deadline_s", "task_timeout_s", "task_deadline_s", "repository", "input",
    "budget", "parent", "trace",
}  # fmt: skip


def same_request(ours: Request, theirs: Request) -> bool:
    """Return whether two whole requests with one id are one: the same key, and the same thing asked.

    What the repositories hold is no part of that, be it in `repository` or among the inputs: whoever
    sends a nightly request twice has it done once, even where somebody committed meanwhile. Nor is who
    sends it, how urgent it is, how long it may take, what it may spend, or when its schedule fired.
    """
    return ours.key_digest == theirs.key_digest and _asked(ours) == _asked(theirs)


def _asked(request: Request) -> tuple[dict[str, object], JsonValue]:
    told = {name: _without_content(name, value) for name, value in request.input.items()}
    return request.model_dump(exclude=_APART), told


def _without_content(name: str, value: JsonValue) -> JsonValue:
    if name == CHANGE and isinstance(value, Mapping):
        return value.get("base")
    if isinstance(value, list):
        return [entry["label"] if _is_repository(entry) else entry for entry in value]  # type: ignore[index, call-overload]
    return value


def _is_repository(value: JsonValue) -> bool:
    """Whether it is a repository by reference, as a workflow's input of repositories has it."""
    return isinstance(value, Mapping) and "label" in value and ("snapshot" in value or "commit" in value)
