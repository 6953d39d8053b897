"""Mind: the model that a coordinator asks, and within which limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ...capabilities.agent.budget.account import Estimate
from ...capabilities.agent.models.client import ModelClient, Question
from ...capabilities.agent.models.conversation import MESSAGES, Message
from ..planning.by_model.limits import LIMITS, PlanLimits

MOST_ROOM = 240_000
"""Characters of results that one question may hold, where the model's window is no limit."""


def nothing_described() -> Mapping[str, str]:
    """Describe no capability beyond what is known of it."""
    return {}


def no_price(model: str, input: int, output: int) -> float | None:
    """Know no price."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mind:
    """A coordinator's model."""

    client: ModelClient
    model: str
    fallbacks: tuple[str, ...] = ()
    max_tokens: int = 8192
    """Of one answer."""
    timeout: timedelta = timedelta(minutes=5)
    """Longest silence of the model."""
    patience: timedelta = timedelta(minutes=20)
    """Longest time for one plan, one change or one report, all questions together."""
    limits: PlanLimits = field(default=LIMITS)
    room: int = MOST_ROOM
    """Characters of results that one question may hold."""
    most_turns: int = 40
    """Questions for one report at most."""
    described: Callable[[], Mapping[str, str]] = nothing_described
    """Says of demands what they do."""

    worst: Callable[[str, int, int], float | None] = no_price
    """The most that a turn costs: model, tokens of the question, tokens of the answer; None: unknown."""

    def estimate(self, question: Question) -> Estimate:
        """Return the worst case of a question, as far as it can be known: of its models the dearest."""
        read = (len(question.system) + len(MESSAGES.dump_json(question.messages))) // 3 + 1
        models = (question.model, *question.fallbacks)
        asked = [self.worst(model, read, 0) for model in models]
        whole = [self.worst(model, read, question.max_tokens) for model in models]
        costs = [
            (one, other)
            for one, other in zip(asked, whole, strict=True)
            if one is not None and other is not None
        ]
        known = len(costs) == len(models)
        return Estimate(
            input=read,
            output=question.max_tokens,
            usd_input=max(one for one, _ in costs) if known else None,
            usd_per_output=max((other - one) / question.max_tokens for one, other in costs)
            if known
            else None,
            model=question.model,
        )

    def question(
        self, system: str, messages: tuple[Message, ...], schema: dict[str, Any] | None = None
    ) -> Question:
        """Return a question to this model."""
        return Question(
            model=self.model,
            fallbacks=self.fallbacks,
            system=system,
            messages=messages,
            max_tokens=self.max_tokens,
            schema=schema,
            timeout=self.timeout,
        )
