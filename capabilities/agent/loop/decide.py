"""Decide: what an agent's run does next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....swarm.steps import Intent
from ..models.conversation import ToolAnswer, ToolCall
from .answers import problem_with
from .size import estimate
from .state import State

MOST_EMPTY = 2
"""Answers without a word that are asked for again."""
MOST_NUDGES = 3
"""Answers in a row that are asked for again, for whatever reason."""
SAME_CALL = 5
"""The same call with the same answer so often in a row: the model goes in circles."""
MOST_ERRORS = 15
"""Tools that fail in a row: the model does not find its way."""
SOME_ROOM = 0.1
"""Share of the window that is kept free, as nobody counts tokens but the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decisions depend on besides the state."""

    schema: dict[str, Any] | None = None
    """That the answer must meet."""
    unfit: str | None = None
    """Why the newest answer does not meet it, where that was tried already; empty: it does."""
    window: int | None = None
    """Tokens that the model reads and writes at once; None: not known."""
    max_tokens: int = 8192
    overhead: int = 0
    """Tokens of the system prompt and the tools' descriptions."""
    most_turns: int = 200
    alongside: frozenset[str] = frozenset()
    """Tools that may be used beside one another."""


@dataclass(frozen=True, slots=True)
class Again:
    """A step was in flight at a crash, and is repeated under its number."""

    intents: tuple[Intent, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A step was in flight at a crash, and may not be repeated: write that down."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Nobody knows whether a step had its effect: a person decides."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class AskModel:
    """The next turn."""


@dataclass(frozen=True, slots=True)
class Use:
    """Use tools, beside one another; one of them for most tools."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Compact:
    """The conversation no longer fits: put its older part in short."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """The last answer is none: say so."""

    text: str


@dataclass(frozen=True, slots=True)
class WrapUp:
    """End with what there is: say so, and ask a last time."""

    why: str


@dataclass(frozen=True, slots=True)
class End:
    """The run has its result; `partial` says what is missing, empty: nothing."""

    text: str
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Fail:
    """The run cannot have a result, in words."""

    why: str


Next = Again | Unknown | AskPerson | AskModel | Use | Compact | Nudge | WrapUp | End | Fail


def decide(state: State, rules: Rules) -> Next:
    """Return what is next."""
    if state.stopped:
        return Fail(f"ended by a person: {state.stopped}")
    for intent in state.open.values():
        if not intent.repeatable:
            return Unknown(intent)
    if state.uncertain:
        return AskPerson(state.uncertain[0])
    if state.open:
        return Again(tuple(state.open.values()))
    if state.pending:
        return _use(state, rules)
    if state.answer is not None:
        return _end(state, rules)
    if state.too_long or _is_full(state, rules):
        if state.unpacked > 1:
            return Fail(
                "its conversation does not fit into what the model reads, put in short too: give it a smaller "
                "task, or a model that reads more"
            )
        return Compact()
    if state.turns >= rules.most_turns and not state.wrapping:
        return WrapUp(f"it has asked {state.turns} turns, the most that one task may")
    return AskModel()


def _use(state: State, rules: Rules) -> Next:
    if state.repeats >= SAME_CALL or state.errors >= MOST_ERRORS:
        last = next(one for one in reversed(state.messages) if isinstance(one, ToolAnswer))
        what = (
            f"it used {last.name} {state.repeats} times in the same way, with the same answer"
            if state.repeats >= SAME_CALL
            else f"{state.errors} uses of tools failed in a row"
        )
        return Fail(f"the agent goes in circles: {what}: {' '.join(last.text.split())[:300]}")
    batch = _beside(state.pending, rules.alongside)
    return Use(batch)


def _beside(calls: Sequence[ToolCall], alongside: frozenset[str]) -> tuple[ToolCall, ...]:
    """Return the calls that are next: the first, with those right after it that may stand beside it."""
    found = [calls[0]]
    for call in calls[1:]:
        if found[-1].name not in alongside or call.name not in alongside:
            break
        found.append(call)
    return tuple(found)


def _end(state: State, rules: Rules) -> Next:
    turn = state.answer
    assert turn is not None
    text = "".join((*state.parts, turn.message.text))
    if turn.stop == "refused":
        said = f": {' '.join(text.split())[:500]}" if text.strip() else ""
        return Fail(
            f"{turn.model} declined the task{said}; put it in other words, or give it to another model"
        )
    wraps = bool(state.wrapping)
    if turn.stop == "length":
        if state.nudges < MOST_NUDGES and not wraps:
            return Nudge(
                f"Your answer was cut at {rules.max_tokens} tokens. Go on exactly where it stopped, without "
                "repeating anything; be short."
            )
        return End(text, state.wrapping or f"the answer was cut at {rules.max_tokens} tokens")
    if not text.strip():
        if state.empties <= MOST_EMPTY and not wraps:
            return Nudge("Your answer was empty. Say what you found or did, or use a tool.")
        if not wraps:
            return Fail(f"{turn.model} gave {state.empties} empty answers: ask it in other words")
        return End("", state.wrapping)
    problem = problem_with(text, rules.schema) if rules.unfit is None else rules.unfit
    if problem:
        if state.nudges < MOST_NUDGES and not wraps:
            return Nudge(f"Your answer does not meet the schema that the task gives: {problem}. Answer with "
                         "JSON that does, and nothing else.")  # fmt: skip
        if not wraps:
            return Fail(f"{turn.model} gave no answer that meets the schema: {problem}")
    return End(text, state.wrapping)


def _is_full(state: State, rules: Rules) -> bool:
    if rules.window is None:
        return False
    fits = rules.window * (1 - SOME_ROOM) - rules.max_tokens
    return estimate(state, rules.overhead) > max(fits, rules.window / 2)
