"""Room: which results one report can hold together. Pure, by what their references say."""

from collections.abc import Mapping

from ...swarm.records import Result

MOST_BYTES = 64 * 1024 * 1024
"""Bodies that are fetched for one report: all of them are in memory at once."""


def without_room(results: Mapping[str, Result | None]) -> frozenset[str]:
    """Return the steps whose results find no room any more; the first of the plan have theirs."""
    left = MOST_BYTES
    outside: set[str] = set()
    for step, result in results.items():
        size = result.ref.size if result is not None and result.ref is not None else 0
        if size > left:
            outside.add(step)
        else:
            left -= size
    return frozenset(outside)
