"""Nesting: JSON from outside must leave room for the records that it will travel in."""

from pydantic_core import from_json

DEEPEST = 150
"""Levels of lists and mappings in one body."""
ROOM = 200 - DEEPEST
"""Levels that entries, manifests, queue messages and reports may put around it: at 200 reading stops."""


def too_deep(data: bytes) -> bool:
    """Return whether JSON is nested deeper than 150 levels; what is no JSON at all is not.

    What is written without this may be an entry of the log that nobody can read again.
    """
    try:
        from_json(b"[" * ROOM + data + b"]" * ROOM)
    except ValueError as error:
        return "recursion limit" in str(error)
    return False
