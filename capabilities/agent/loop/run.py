"""Run: carries out what `decide` says, until an agent's task has its end."""

from collections.abc import Mapping
from dataclasses import dataclass

from ....errors import FinalError
from ....swarm.steps import Intent, Note, Outcome
from .compaction import compact
from .decide import (
    Again,
    AskModel,
    AskPerson,
    Compact,
    End,
    Fail,
    Nudge,
    Unknown,
    Use,
    WrapUp,
    decide,
)
from .fitting import fitted
from .pausing import wait_while_paused
from .state import State
from .turns import ask_model, wrap_up
from .uses import ask_about_uncertain, use_again, use_tools
from .work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    text: str
    partial: str = ""
    """What is missing, in words; empty: nothing."""
    state: State


async def run(work: Work, environment: Mapping[str, str]) -> Ended:
    """Work until the task has its result.

    `environment` is all that the tools see of it. Raises FinalError in words when it can have none,
    ModelUnavailable when another attempt may go on later, JobCancelled when a later attempt has the task.
    """
    try:
        return await _run(work, environment)
    except FinalError:
        await work.context.purse.settle(work.state.spent, ended=True)
        raise


async def _run(work: Work, environment: Mapping[str, str]) -> Ended:
    while True:
        await wait_while_paused(work)
        match decide(work.state, await fitted(work)):
            case Again(intents):
                ended = await _again(work, intents, environment)
            case Unknown(intent):
                await work.write(
                    Outcome(
                        number=intent.number, state="uncertain", error="its node was lost while it was done"
                    )
                )
                continue
            case AskPerson(intent):
                await ask_about_uncertain(work, intent)
                continue
            case AskModel():
                ended = await ask_model(work)
            case Use(calls):
                names = ", ".join(dict.fromkeys(call.name for call in calls))
                await _tell(work, f"uses {names}")
                await use_tools(work, calls, environment)
                continue
            case Compact():
                await _tell(work, "puts its earlier work in short")
                await compact(work)
                continue
            case Nudge(text):
                await work.write(Note(what="told", body={"why": "nudge", "text": text}))
                continue
            case WrapUp(why):
                await wrap_up(work, why)
                continue
            case End(text, partial):
                await work.context.purse.settle(work.state.spent, ended=True)
                said = text if text.strip() or not partial else last_words(work.state)
                return Ended(text=said, partial=partial, state=work.state)
            case Fail(why):
                raise FinalError(why)
        if ended:
            await work.context.purse.settle(work.state.spent, ended=True)
            return Ended(text=last_words(work.state), partial=ended, state=work.state)


async def _again(work: Work, intents: tuple[Intent, ...], environment: Mapping[str, str]) -> str:
    """Repeat what was in flight at a crash; return as `ask_model`."""
    first = intents[0]
    await _tell(work, f"goes on at step {first.number}")
    if first.what == "turn":
        return await ask_model(work, number=first.number)
    if first.what == "compact":
        await compact(work, number=first.number)
        return ""
    await use_again(work, intents, environment)
    return ""


async def _tell(work: Work, what: str) -> None:
    state = work.state
    tokens = state.usage.input + state.usage.output
    cost = "" if state.usage.usd is None else f", {state.usage.usd:.4f} USD"
    await work.context.progress(f"turn {state.turns}, {tokens} tokens{cost}: {what}")


def last_words(state: State) -> str:
    """Return the newest text that the model said, for a run that ends before its answer."""
    if state.parts:  # of an answer that was cut, and whose end cannot be paid
        return "".join(state.parts)
    for message in reversed(state.messages):
        if message.role == "assistant" and message.text.strip():
            return message.text
    return ""
