"""Reviews by analyzers and a model: the analyzers' review always stands; the model's word comes on top of it."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue

from ....config.settings import Settings
from ....errors import FinalError, ModelUnavailable
from ....swarm.records import QueuedTask, Result
from ...analyzers.review import ReviewExecutor, summarize
from ...analyzers.survey import Survey, survey
from ...change import Change, change_of
from ...executor import Context, Readiness
from ...findings import ModelWord, Review
from ..executor import AgentExecutor
from ..profiles.profile import Profile
from .answer import SCHEMA, read_answer
from .journaled import answered_by, settle
from .places import LinesOf
from .prompt import SHOWN, SYSTEM, ask
from .verify import listed, verify

log = logging.getLogger(__name__)

SHARE = 0.9
"""The part of a task's time by which a model has to be done: what the analyzers found is still to be handed in."""
LEAST = timedelta(seconds=5)
"""Time below which it is not asked at all."""

REVIEWER = Profile(
    name="reviewer",
    description="Reads a repository together with the analyzers",
    system=SYSTEM,
    tools=("read", "grep", "glob"),
    place="picoclaw",
)


@dataclass(frozen=True, slots=True)
class ModelReviewExecutor:
    """Reviews a repository by analyzers, and has a model read it too."""

    analyzers: ReviewExecutor
    settings: Settings
    share: float = SHARE
    least: timedelta = LEAST

    @property
    def capabilities(self) -> frozenset[str]:
        return self.analyzers.capabilities

    def readiness(self, capability: str) -> Readiness:
        """Return whether its analyzers are ready: the model comes on top."""
        return self.analyzers.readiness(capability)

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Review the task's repository; `data` as the analyzers' own, with the model's word in the first review.

        A model that cannot be asked costs the review nothing but that: it says so. Raises as they do.
        """
        began = time.monotonic()
        found = await self.analyzers.execute(task, context)
        assert task.task.repository is not None
        reviews = _reviews(found.data)
        root = await context.checkout(task.task.repository)
        change = change_of(task.task.input)
        answered: Result | None = None
        why = "its answer is none"
        known = listed([finding for review in reviews for finding in review.findings], SHOWN)
        limit = task.task.timeout_s
        left = None if limit is None else self.share * limit - (time.monotonic() - began)
        try:
            if left is not None and left < self.least.total_seconds():
                raise FinalError("the analyzers took the time that the task has")  # noqa: TRY301 - as any other
            async with asyncio.timeout(left):
                answered = await self._ask(task, context, ask(reviews, known, change=_named(change)))
            why = _partial(answered) or why
        except TimeoutError:
            why = f"it had no answer in the {left:.0f} s that were left of the task's {limit:g} s"
            await settle(context)
        except (FinalError, ModelUnavailable) as error:
            why = str(error)[:300]
        answer = read_answer(answered.data) if answered is not None and answered.data is not None else None
        if answered is None or answer is None:
            log.warning("no model read the repository: %s", why)
            reviews[0] = reviews[0].model_copy(update={"model": ModelWord(why_not=why)})
            return _result(reviews, found, answered)
        seen = await asyncio.to_thread(survey, root)
        model = await answered_by(context) or self.settings.llm.model
        verified = await asyncio.to_thread(
            verify, answer, known, _reader(root, seen), paths=seen.paths, model=model, change=change
        )
        first = reviews[0]
        reviews[0] = first.model_copy(
            update={"model": verified.word, "findings": (*first.findings, *verified.seen)}
        )
        return _result(reviews, found, answered)

    async def _ask(self, task: QueuedTask, context: Context, text: str) -> Result:
        own = {"text": text, "schema": SCHEMA}
        asked = task.model_copy(update={"task": task.task.model_copy(update={"input": own})})
        return await AgentExecutor(REVIEWER, self.settings).execute(asked, context)


def _partial(answered: Result) -> str:
    """Return why the agent's answer is none; empty where it is whole."""
    said = answered.summary.strip().rpartition("(partial: ")[2].removesuffix(")")
    return said[:300] if answered.partial else ""


def _reviews(data: JsonValue) -> list[Review]:
    bodies = data if isinstance(data, list) else [data]
    return [Review.model_validate(body) for body in bodies]


def _result(reviews: Sequence[Review], found: Result, answered: Result | None) -> Result:
    data: list[JsonValue] = [review.model_dump(mode="json") for review in reviews]
    return found.model_copy(
        update={
            "summary": "; ".join(summarize(review) for review in reviews),
            "data": data[0] if len(data) == 1 else data,
            "log": answered.log if answered is not None else found.log,
        }
    )


def _named(change: Change | None) -> str:
    return (
        f"{change.base}..{change.head}: {', '.join(sorted(change.files)[:100])}" if change is not None else ""
    )


def _reader(root: Path, seen: Survey) -> LinesOf:
    """Return what reads the files that the analyzers see, each once; nothing outside of them."""
    read: dict[str, Sequence[str] | None] = {}

    def lines_of(path: str) -> Sequence[str] | None:
        if path not in seen.paths:
            return None
        if path not in read:
            try:
                read[path] = (root / path).read_text(encoding="utf-8", errors="replace").split("\n")
            except OSError:
                read[path] = None
        return read[path]

    return lines_of
