"""Held with: what is handed on waits with who handed it on. Pure."""

from .records import Parent
from .subjects import split_task_id


def held_with(request: str, parent: Parent | None) -> tuple[str, ...]:
    """Return the requests whose pause holds one: itself, the one that handed it on, and what a person asked."""
    above = () if parent is None else (split_task_id(parent.task)[0], parent.root)
    return tuple(dict.fromkeys((request, *above)))
