"""What a plan may name as its join; apart from the joins themselves, which most nodes never load."""

from collections.abc import Collection

from pydantic import JsonValue

from ...config.spelling import did_you_mean
from ...errors import PlanError
from .by_model.name import BY_MODEL

NAMES = frozenset({"plain", "code-review", "table", BY_MODEL})
"""What a plan may name as its `join`; `step:NAME` besides them: that task's result is the report."""
STEP_PREFIX = "step:"


def joined_step(name: str) -> str | None:
    """Return the step of a join `step:NAME`; None for any other join."""
    return name.removeprefix(STEP_PREFIX) if name.startswith(STEP_PREFIX) else None


def check_join(name: str, options: JsonValue, what: str, joins: Collection[str] = NAMES) -> None:
    """Raise PlanError for a join that is not there, or that is told what it does not understand.

    `what` is the place that messages name.
    """
    if joined_step(name) is None and name not in joins:
        raise PlanError(
            f"key {what}: there is no join {name[:100]!r}{did_you_mean(name, joins)} "
            f"(there is: {', '.join(sorted(joins))}, {STEP_PREFIX}NAME)"
        )
    if name == "table":
        from .table import read_options

        read_options(options, what)
