"""Accounts: what was spent, what is reserved, and whether one more turn can be paid. Pure.

Each turn is reserved at its worst case before the question, and settled at what its provider counted
after the answer. What may have been paid for without an answer is settled at its worst case.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

from ..models.conversation import Usage
from .limits import Breach as OnBreach
from .limits import Budget

LEAST_OUTPUT = 256
"""Tokens of an answer below which a last turn is not worth its money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What turns took, or may take."""

    turns: int = 0
    tokens: int = 0
    usd: float = 0.0
    """Of the turns whose price is known."""
    unpriced: int = 0
    """Turns whose price is unknown: with any of these, `usd` is the least that was spent."""
    maybe_billed: int = 0
    """Turns without an answer that may have been paid for; counted at their worst case."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            turns=self.turns + other.turns,
            tokens=self.tokens + other.tokens,
            usd=self.usd + other.usd,
            unpriced=self.unpriced + other.unpriced,
            maybe_billed=self.maybe_billed + other.maybe_billed,
        )


NOTHING = Spent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The worst case of one turn, as far as it can be known before."""

    input: int
    """Tokens of the question."""
    output: int
    """Most tokens of the answer (`max_tokens`)."""
    usd_input: float | None = None
    """Price of the whole question; None: no price is known."""
    usd_per_output: float | None = None
    """Price of one token of the answer; None: no price is known."""
    model: str = ""

    @property
    def priced(self) -> bool:
        return self.usd_input is not None and self.usd_per_output is not None

    def worst(self, output: int | None = None) -> Spent:
        """Return what the turn takes if its answer has `output` tokens; None: as many as it may."""
        most = self.output if output is None else output
        if self.usd_input is None or self.usd_per_output is None:
            return Spent(turns=1, tokens=self.input + most, unpriced=1)
        return Spent(turns=1, tokens=self.input + most, usd=self.usd_input + self.usd_per_output * most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody with a budget: a task, a request with all that it delegated, the tenant."""

    name: str
    """In words, for people: `this task`, `request r-…`, `this swarm today`."""
    budget: Budget
    spent: Spent = NOTHING
    """Without what the asking task has reserved for a turn of its own; with what others have."""
    wall: timedelta = timedelta()
    """How long it has been at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The turn may be asked; its worst case is reserved."""

    worst: Spent
    max_tokens: int
    """Of the answer: what was asked for, or less where no more can be paid."""
    last: bool = False
    """No further turn can be paid: ask without tools, for an end that says what is missing."""
    why: str = ""
    """With `last`: which budget ends, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """The turn cannot be paid."""

    holder: str
    what: str
    """`usd`, `tokens`, `turns`, `wall` or `price`: a limit in USD, and a model of unknown price."""
    words: str
    on_breach: OnBreach
    left_usd: float | None = None
    """With `usd`: what the holder has left."""
    budget: Budget = field(default_factory=Budget)
    """The holder's, as it holds now."""
    spent: Spent = NOTHING
    """By the holder, with all that is paid from its account."""
    worst: Spent = NOTHING
    """What the turn may take."""


def of_usage(usage: Usage) -> Spent:
    """Return what a turn with an answer took."""
    tokens = usage.input + usage.output
    if usage.usd is None:
        return Spent(turns=1, tokens=tokens, unpriced=1)
    return Spent(turns=1, tokens=tokens, usd=usage.usd)


def of_lost(reserved_usd: float | None, reserved_tokens: int, times: int = 1) -> Spent:
    """Return what `times` turns without an answer count for: the worst case that was reserved for each."""
    return Spent(
        turns=times,
        tokens=reserved_tokens * times,
        usd=(reserved_usd or 0.0) * times,
        unpriced=times if reserved_usd is None else 0,
        maybe_billed=times,
    )


def grant(estimate: Estimate, holders: Sequence[Holder], *, asking: bool = True) -> Granted | Breach:
    """Return whether one more turn can be paid by every holder, and how long its answer may be.

    Where the whole answer cannot be paid but a shorter one can, it is the last turn. With `asking`, a last turn
    or none is a breach first where all that stands in the way are limits that somebody may raise.
    """
    full = estimate.worst()
    breaches = [found for holder in holders if (found := _breach(holder, estimate, full)) is not None]
    if not breaches:
        ends = [ended for holder in holders if (ended := _ends(holder)) is not None]
        if asking and ends and all(ended.on_breach == "ask" for ended in ends):
            return ends[0]
        return Granted(
            worst=full, max_tokens=estimate.output, last=bool(ends), why=ends[0].words if ends else ""
        )
    if asking and all(breach.on_breach == "ask" for breach in breaches):
        return breaches[0]
    output = min((_affordable(holder, estimate) for holder in holders), default=0)
    if output >= min(LEAST_OUTPUT, estimate.output):
        return Granted(worst=estimate.worst(output), max_tokens=output, last=True, why=breaches[0].words)
    return breaches[0]


def still_granted(granted: Granted, estimate: Estimate, holder: Holder) -> bool:
    """Return whether a holder, as it stands now, can pay what was granted before."""
    again = grant(replace(estimate, output=granted.max_tokens), (holder,), asking=False)
    if not isinstance(again, Granted) or again.max_tokens < granted.max_tokens:
        return False
    return granted.last or not again.last


def _ends(holder: Holder) -> Breach | None:
    """Return what a number of turns says of the next one, where that is the last; None: it is not."""
    turns = holder.budget.turns
    if turns is None or holder.spent.turns + 1 < turns:
        return None
    words = f"{holder.name} may ask {_turns(turns)}"
    # Whoever may ask one turn in all wants its answer, and not to be asked for a second one before it.
    on_breach = holder.budget.on_breach if holder.spent.turns else "wrap_up"
    return Breach(
        holder=holder.name,
        what="turns",
        words=words,
        on_breach=on_breach,
        budget=holder.budget,
        spent=holder.spent,
    )


def _turns(number: int) -> str:
    return f"{number} turn{'s' if number != 1 else ''}"


def _breach(holder: Holder, estimate: Estimate, worst: Spent) -> Breach | None:
    budget, spent = holder.budget, holder.spent

    def breach(what: str, words: str, left_usd: float | None = None) -> Breach:
        return Breach(
            holder=holder.name,
            what=what,
            words=words,
            # Who allows more money gives no model a price: to ask would lead to the same question for ever.
            on_breach=budget.on_breach if what != "price" else "wrap_up",
            left_usd=left_usd,
            budget=budget,
            spent=spent,
            worst=worst,
        )

    if budget.wall is not None and holder.wall >= budget.wall:
        limit = f"{budget.wall.total_seconds():g} s"
        return breach("wall", f"{holder.name} may take {limit}, which are over")
    if budget.turns is not None and spent.turns + 1 > budget.turns:
        return breach("turns", f"{holder.name} may ask {_turns(budget.turns)}, and has asked {spent.turns}")
    if budget.tokens is not None and spent.tokens + worst.tokens > budget.tokens:
        return breach(
            "tokens",
            f"{holder.name} may use {budget.tokens} tokens, has used {spent.tokens}, and the next turn "
            f"may take {worst.tokens}",
        )
    if budget.usd is not None:
        if not estimate.priced:
            return breach(
                "price",
                f"{holder.name} may spend {budget.usd:g} USD, and no price is known of "
                f"{estimate.model or 'its model'}: give its price in `llm.prices`, or limit tokens instead",
            )
        if spent.usd + worst.usd > budget.usd:
            return breach(
                "usd",
                f"{holder.name} may spend {budget.usd:g} USD, has spent {spent.usd:.4g}, and the next turn "
                f"may cost {worst.usd:.4g}",
                left_usd=budget.usd - spent.usd,
            )
    return None


def _affordable(holder: Holder, estimate: Estimate) -> int:
    """Return the longest answer that a holder can pay, in tokens; 0: none."""
    budget, spent = holder.budget, holder.spent
    if budget.wall is not None and holder.wall >= budget.wall:
        return 0
    if budget.turns is not None and spent.turns + 1 > budget.turns:
        return 0
    most = estimate.output
    if budget.tokens is not None:
        most = min(most, budget.tokens - spent.tokens - estimate.input)
    if budget.usd is not None:
        if estimate.usd_input is None or estimate.usd_per_output is None:
            return 0
        left = budget.usd - spent.usd - estimate.usd_input
        if left < 0:
            return 0
        if estimate.usd_per_output > 0:
            most = min(most, int(left / estimate.usd_per_output))
    return max(0, most)


def narrower(budget: Budget, other: Budget) -> Budget:
    """Return a budget that keeps both; who asks rather than wraps up is asked."""

    return Budget(
        usd=_least((budget.usd, other.usd)),
        tokens=_least((budget.tokens, other.tokens)),
        turns=_least((budget.turns, other.turns)),
        wall=_least((budget.wall, other.wall)),
        on_breach="ask" if "ask" in (budget.on_breach, other.on_breach) else "wrap_up",
    )


def wider(budget: Budget, raised: Budget) -> Budget:
    """Return a budget as it is once somebody raised it: what was allowed never takes anything away."""
    return replace(
        budget,
        usd=_most((budget.usd, raised.usd)),
        tokens=_most((budget.tokens, raised.tokens)),
        turns=_most((budget.turns, raised.turns)),
    )


_T = TypeVar("_T", int, float, timedelta)


def _most(values: tuple[_T | None, _T | None]) -> _T | None:
    return None if None in values else max(value for value in values if value is not None)


def _least(values: tuple[_T | None, _T | None]) -> _T | None:
    return min((value for value in values if value is not None), default=None)


def once_more(budget: Budget, spent: Spent, wall: timedelta, worst: Spent = NOTHING) -> Budget:
    """Return a budget that has as much left again as it had at first: what somebody allowed when asked.

    `worst`: what the turn may take that was asked about; it can be paid then, whatever the budget was.
    """
    return replace(
        budget,
        usd=None if budget.usd is None else spent.usd + max(budget.usd, worst.usd),
        tokens=None if budget.tokens is None else spent.tokens + max(budget.tokens, worst.tokens),
        # At least one besides the last, before which somebody is asked again.
        turns=None if budget.turns is None else spent.turns + max(2, budget.turns),
        wall=None if budget.wall is None else wall + budget.wall,
    )
