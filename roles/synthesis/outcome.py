"""Outcome: how one task of a plan ended, as the join sees it."""

import re
from dataclasses import dataclass

from ...swarm.records import Result, State

_NOBODY = re.compile(r"\b(?:skipped|unroutable|no node offers)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One task at the end of its request."""

    step: str
    title: str = ""
    demand: str = ""
    state: State
    reason: str = ""
    """Why it is in that state, from the log."""
    result: Result | None = None
    """With its data in it: whoever calls the join has fetched what lay in the object store."""
    node: str | None = None
    """Who ended it, or held it last."""
    attempts: int = 0
    seconds: float | None = None
    """Length of its last run."""

    @property
    def unserved(self) -> bool:
        """Whether it ended without a run because no live node offered what it needs."""
        ended = self.state == "cancelled" or self.state == "failed"
        by_person = self.reason.startswith("person")
        return ended and not by_person and _NOBODY.search(self.reason) is not None


def in_words(outcome: Outcome) -> str:
    """Say how a task ended that is not done, for `<task>: not reviewed, …`."""
    why = f": {outcome.reason}" if outcome.reason else ""
    if outcome.unserved:
        return "no node offers it"
    if outcome.state == "cancelled":
        return f"cancelled{why}"
    if outcome.state == "failed":
        return f"failed{why}"
    if outcome.state == "dead":
        tries = "1 attempt" if outcome.attempts == 1 else f"{outcome.attempts} attempts"
        return f"given up after {tries}{why}"
    if outcome.state == "done":
        return f"its result cannot be read{why}"
    return f"still {outcome.state}{why}"
