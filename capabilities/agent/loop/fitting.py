"""Fitting: whether an answer meets a schema with patterns, tried in a process that can be ended."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from ....errors import FinalError
from ...elsewhere import elsewhere
from ..bounded_schema import has_patterns
from .answers import problem_with
from .decide import Rules
from .work import Work

LONGEST = timedelta(seconds=20)


async def fitted(work: Work) -> Rules:
    """Return the rules for the next decision; of an answer that a pattern may hold for ever, with what was found.

    Raises FinalError where it takes too long to find out.
    """
    turn, rules = work.state.answer, work.rules
    if turn is None or not turn.message.text.strip() or not has_patterns(rules.schema):
        return rules
    text = "".join((*work.state.parts, turn.message.text))
    try:
        async with asyncio.timeout(LONGEST.total_seconds()):
            return replace(rules, unfit=await elsewhere(problem_with, text, rules.schema))
    except TimeoutError:
        raise FinalError(
            f"the patterns of the task's schema take over {LONGEST.total_seconds():.0f} s to try on the answer: "
            "give it simpler ones"
        ) from None
