"""The join `step:NAME`: the report is what one task wrote, after a word on what is missing."""

from collections.abc import Callable, Sequence

from ...swarm.records import Plan, Request
from .markdown import clean_lines
from .missing import missing_lines, missing_section, usable
from .outcome import Outcome
from .plain import join_plain
from .report import Report

TEXTS = ("markdown", "text", "stdout")
"""Keys of a result's data that hold a report for people, the best first."""
SHOWN_CHARACTERS = 1_000_000


def join_of_step(step: str) -> Callable[[Plan, Request, Sequence[Outcome]], Report]:
    """Return the join whose report is the result of that step."""

    def join(plan: Plan, request: Request, outcomes: Sequence[Outcome]) -> Report:
        own = next((outcome for outcome in outcomes if outcome.step == step), None)
        if own is None or not usable(own) or own.result is None:
            # Without it, what the others brought is worth more than nothing.
            return join_plain(plan, request, outcomes)
        data, missing = own.result.data, missing_lines(outcomes)
        written = (
            next((data[key] for key in TEXTS if isinstance(data.get(key), str)), None)
            if isinstance(data, dict)
            else data
            if isinstance(data, str)
            else None
        )
        if written is None:
            plain = join_plain(plan, request, [own])
            markdown = plain.markdown
        else:
            markdown = "\n".join(clean_lines(str(written), SHOWN_CHARACTERS)).rstrip() + "\n"
        if missing:
            markdown = f"{missing_section(missing)}\n\n{markdown}"
        return Report(
            markdown=markdown,
            data=data if data is not None else own.result.summary,
            partial=bool(missing),
            summary=own.result.summary or f"{len(outcomes) - len(missing)} of {len(outcomes)} tasks done",
        )

    return join
