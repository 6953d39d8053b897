"""The one layer of retries: a model is asked again, then the next of the chain; nothing below or above retries."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from ....errors import ContextTooLong, ModelKeyRefused, ModelRefused, ModelUnavailable, QuestionRefused
from .client import ModelClient, OnText, Question
from .conversation import Turn
from .estimate import estimated, likely_tokens
from .named import Model, read_model
from .prices import Prices
from .rates import NoPlace, Rates
from .retrying import Again, Failed, GiveUp, Next, Standing, decide
from .traced import ask_traced

_PATIENCE = timedelta(seconds=60)
"""Longest wait for a place in this machine's own limits before the chain goes on."""

Failure = ModelRefused | ModelUnavailable
Told = Callable[[str], None]
"""Takes one line on what is done about a failure; must not block."""


class ResilientClient:
    """A `ModelClient` that asks the question's model, and its fallbacks, until one answers."""

    def __init__(
        self,
        adapter: Callable[[Model], ModelClient],
        *,
        prices: Prices,
        rates: Rates,
        retries: int,
        total: timedelta,
        told: Told | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`adapter` gives the client of a model's provider, the same one each time."""
        self._adapter = adapter
        self.prices = prices
        self._rates = rates
        self._retries = retries
        self._total = total
        self._told = told or _silent
        self._chance = chance
        self._opened: list[ModelClient] = []

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """Return the answer of the first model that gives one, with what it cost.

        Raises what `ModelClient.ask` may: ContextTooLong when that is why the first model did not answer,
        ModelUnavailable when another try may help, else ModelRefused. Each counts the questions on the way
        that may have been paid for. A stream that broke begins anew.
        """
        asking = _Asking(question, on_text, time.monotonic() + self._total.total_seconds())
        try:
            async with asyncio.timeout(self._total.total_seconds()):
                return await self._ask(asking)
        except TimeoutError:
            seconds = self._total.total_seconds()
            raise ModelUnavailable(
                f"{asking.chain[asking.model]} gave no whole answer in {seconds:g} s: try again, or raise "
                f"llm.total_timeout{_before(asking.failures)}",
                maybe_billed=asking.billed + int(asking.in_flight),
            ) from None

    async def close(self) -> None:
        """Let go of all connections."""
        while self._opened:
            await self._opened.pop().close()

    async def _ask(self, asking: "_Asking") -> Turn:
        while True:
            failure = await self._once(asking)
            if not isinstance(failure, Exception):
                return replace(failure, maybe_billed=failure.maybe_billed + asking.billed)
            unasked = isinstance(failure, NoPlace)
            asking.tries += not unasked
            asking.failures.append((asking.chain[asking.model], failure))
            standing = Standing(
                model=asking.model,
                models=len(asking.chain),
                tries=asking.tries,
                left=timedelta(seconds=asking.deadline - time.monotonic()),
            )
            final = isinstance(failure, ModelRefused)
            wait = None if isinstance(failure, ModelRefused) else failure.delay
            of_question = isinstance(failure, QuestionRefused)
            failed = Failed(final=final, wait=wait, of_question=of_question, unasked=unasked)
            match decide(standing, failed, self._retries, self._chance()):
                case Again(wait=wait):
                    self._told(f"{failure}; asked again in {wait.total_seconds():.1f} s")
                    await asyncio.sleep(wait.total_seconds())
                case Next():
                    asking.model, asking.tries = asking.model + 1, 0
                    self._told(f"{failure}; {asking.chain[asking.model]} is asked instead")
                case GiveUp():
                    raise _summed(asking.failures, asking.billed)

    async def _once(self, asking: "_Asking") -> Turn | Failure:
        """Ask the present model once."""
        name = asking.chain[asking.model]
        question = replace(asking.question, model=name, fallbacks=())
        left = timedelta(seconds=max(0.0, asking.deadline - time.monotonic()))
        try:
            model = read_model(name)
            # More than a model can write is an error to most providers, however short its answer would be.
            most = self.prices.answer(str(model)) or question.max_tokens
            question = replace(question, max_tokens=min(question.max_tokens, most))
            client = self._adapter(model)
            if client not in self._opened:
                self._opened.append(client)
            async with self._rates.place(
                model.provider.name, str(model), likely_tokens(question), min(_PATIENCE, left)
            ) as place:
                asking.in_flight = True
                try:
                    turn = await ask_traced(client, question, asking.on_text)
                except ModelUnavailable as error:
                    place.rest = error.delay
                    raise
                place.tokens = turn.usage.input + turn.usage.output
        except (ModelRefused, ModelUnavailable) as error:
            asking.in_flight = False
            asking.billed += error.maybe_billed
            return error
        if turn.usage.usd is not None:
            return turn
        if turn.usage.input == turn.usage.output == 0:  # not counted, which is neither nothing nor free
            return replace(turn, usage=estimated(question, turn.message))
        return replace(turn, usage=replace(turn.usage, usd=self.prices.usd(turn.model, turn.usage)))


class _Asking:
    """One question on its way along the chain."""

    def __init__(self, question: Question, on_text: OnText | None, deadline: float) -> None:
        self.question = question
        self.on_text = on_text
        self.deadline = deadline
        self.chain = tuple(dict.fromkeys((question.model, *question.fallbacks)))
        self.model = 0
        self.tries = 0
        self.billed = 0
        self.in_flight = False
        self.failures: list[tuple[str, Failure]] = []


def _summed(failures: Sequence[tuple[str, Failure]], billed: int) -> Failure:
    """Return the one error for a chain that is at its end."""
    first_model, _ = failures[0]
    of_first = [error for model, error in failures if model == first_model]
    last = of_first[-1]
    words = str(last) + _before(failures, but=first_model)
    if isinstance(last, ContextTooLong):  # whoever asks can shorten, and then the first answers
        return ContextTooLong(words, maybe_billed=billed)
    waits = [error for _, error in failures if isinstance(error, ModelUnavailable)]
    if waits:
        delays = [error.delay for error in waits if error.delay is not None]
        return ModelUnavailable(words, delay=min(delays, default=None), maybe_billed=billed)
    kind = type(last) if isinstance(last, ModelKeyRefused | QuestionRefused) else ModelRefused
    return kind(words, maybe_billed=billed)


def _before(failures: Sequence[tuple[str, Failure]], but: str = "") -> str:
    """Return the last word of each other model, for the end of a message."""
    words = {model: str(error) for model, error in failures if model != but}
    return "".join(f"; {word}" for word in words.values())


def _silent(line: str) -> None:
    """Nobody listens."""
