"""What a report says of the tasks that brought nothing."""

from collections.abc import Sequence

from .markdown import inline
from .outcome import Outcome, in_words

SHOWN_TASKS = 200
"""Tasks that Markdown shows; the JSON has all of them."""


def usable(outcome: Outcome) -> bool:
    """Return whether a task is done and its result can be read."""
    result = outcome.result
    return outcome.state == "done" and result is not None and not (result.ref and result.data is None)


def missing_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each task that brought nothing: its step, what it was about, and why."""
    return [
        f"{outcome.step}{f' ({outcome.title})' if outcome.title not in ('', outcome.step) else ''}: "
        f"{in_words(outcome)}"
        for outcome in outcomes
        if not usable(outcome)
    ]


def missing_section(lines: Sequence[str]) -> str:
    """Return the Markdown that names what is missing."""
    shown = [f"- {inline(line, 500)}" for line in lines[:SHOWN_TASKS]]
    if len(lines) > SHOWN_TASKS:
        shown.append(f"- … and {len(lines) - SHOWN_TASKS:,} more in the JSON")
    return "## Missing\n\n" + "\n".join(shown)
