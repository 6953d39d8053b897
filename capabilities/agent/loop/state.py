"""State: where an agent's run stands, as a fold of its journal. Pure.

The same steps give the same state, whoever folds them: that is what lets another node go on.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import JsonValue

from ....swarm.records import ArtifactRef
from ....swarm.steps import Intent, Note, Outcome, Step, Takeover
from ..approvals.asking import Verdict
from ..budget.account import NOTHING, Spent, of_lost, of_usage
from ..models.conversation import TURN, Assistant, Message, ToolAnswer, ToolCall, Turn, Usage, User

Told = Literal["mail", "nudge", "wrap_up", "moved"]
"""Why the run was told something: a letter, an answer that was none, the end of a budget, another node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that the next decision needs."""

    messages: tuple[Message, ...]
    """The conversation as the next question holds it."""
    number: int = 0
    """Of the last step."""
    open: Mapping[int, Intent] = field(default_factory=dict)
    """Steps that were begun and have no outcome, in order."""
    pending: tuple[ToolCall, ...] = ()
    """Calls of the last turn that have no answer yet."""
    calls: Mapping[int, ToolCall] = field(default_factory=dict)
    """Which call each open or uncertain step of a tool is."""
    uncertain: tuple[Intent, ...] = ()
    """Steps of which nobody knows whether they had their effect."""
    verdicts: Mapping[tuple[int, str], Verdict] = field(default_factory=dict)
    """What people said to a call before it was done, by the number of its step and its id: of calls that stand
    beside one another, another may get that number after a crash."""
    stopped: str = ""
    """A person's word that ends the run."""
    answer: Turn | None = None
    """The last turn, where it asked for no tools and nothing was said since."""
    parts: tuple[str, ...] = ()
    """Earlier pieces of an answer that was cut at its length."""
    empties: int = 0
    nudges: int = 0
    """Answers in a row that were told to be none."""
    last_call: str = ""
    """Digest of the last call and its answer."""
    repeats: int = 0
    """How often in a row that call had that answer."""
    errors: int = 0
    """Tools that failed in a row."""
    too_long: bool = False
    """The last question was longer than what the model reads."""
    unpacked: int = 0
    """Compactions in a row that no turn followed."""
    wrapping: str = ""
    """Which budget ends the run, in words; empty: none."""
    reading: int = 0
    """Tokens of the conversation up to `read`, as the provider counted them; 0: never counted."""
    read: int = 0
    """How many of the messages are in that count."""
    spent: Spent = NOTHING
    usage: Usage = field(default_factory=lambda: Usage(usd=0.0))
    """Of all turns that have an answer, together; `usd` None: the price of some is unknown."""
    turns: int = 0
    model: str = ""
    """That answered last."""
    artifacts: tuple[ArtifactRef, ...] = ()
    deltas: tuple[ArtifactRef, ...] = ()
    """What changed in the workspace, oldest first."""
    budget: Mapping[str, float] | None = None
    """The limits that a person raised, as they are now; None: those of the start."""
    told: frozenset[str] = frozenset()
    """Ids of the letters that it was told."""
    compactions: int = 0

    @property
    def spent_at_most(self) -> Spent:
        """Return what was spent, the steps in flight at a crash included."""
        lost = (of_lost(one.reserved_usd, one.reserved_tokens) for one in self.open.values() if _asks(one))
        return sum(lost, self.spent)


def begin(opening: User) -> State:
    """Return the state of a run that nobody has begun."""
    return State(messages=(opening,))


def fold_all(state: State, steps: Iterable[Step]) -> State:
    """Return the state after some steps."""
    for step in steps:
        state = fold(state, step)
    return state


def fold(state: State, step: Step) -> State:
    """Return the state after one step."""
    match step:
        case Takeover():
            return state
        case Intent():
            return _begun(state, step)
        case Outcome():
            return _ended(state, step)
        case Note():
            return _noted(state, step)


def _begun(state: State, intent: Intent) -> State:
    spent = state.spent
    before = state.open.get(intent.number)
    if before is not None and _asks(before):
        spent += of_lost(before.reserved_usd, before.reserved_tokens)
    calls = dict(state.calls)
    if intent.what == "tool":
        call = next((one for one in state.pending if one.id == intent.call), None)
        if call is not None:
            calls[intent.number] = call
    return replace(
        state,
        number=max(state.number, intent.number),
        open={**state.open, intent.number: intent},
        calls=calls,
        spent=spent,
    )


def _ended(state: State, outcome: Outcome) -> State:
    intent = state.open.get(outcome.number)
    if intent is None:
        return state
    opened = {number: one for number, one in state.open.items() if number != outcome.number}
    state = replace(state, open=opened)
    if outcome.maybe_billed:
        lost = of_lost(intent.reserved_usd, intent.reserved_tokens, outcome.maybe_billed)
        state = replace(state, spent=state.spent + lost)
    if outcome.state == "uncertain":
        return replace(state, uncertain=(*state.uncertain, intent))
    if intent.what == "tool":
        return _used(state, intent, outcome)
    if outcome.state == "error":
        return replace(state, too_long=_is_too_long(outcome)) if intent.what == "turn" else state
    return _answered(state, outcome) if intent.what == "turn" else _compacted(state, outcome)


def _answered(state: State, outcome: Outcome) -> State:
    turn = TURN.validate_python(outcome.body)
    message, messages = turn.message, state.messages
    empty = not message.text.strip() and not message.calls
    if not empty or turn.stop == "refused":
        # Providers refuse an empty message.
        messages = (*messages, message if not empty else replace(message, text="(declined)"))
    counted = turn.usage.input + turn.usage.output
    return replace(
        state,
        messages=messages,
        pending=message.calls,
        answer=None if message.calls else turn,
        empties=state.empties + 1 if empty else 0,
        too_long=False,
        unpacked=0,
        reading=counted,
        read=len(messages),
        spent=state.spent + of_usage(turn.usage),
        usage=_sum(state.usage, turn.usage),
        turns=state.turns + 1,
        model=turn.model,
    )


def _used(state: State, intent: Intent, outcome: Outcome) -> State:
    call = state.calls.get(intent.number)
    if call is None:
        return state
    body = outcome.body if isinstance(outcome.body, dict) else {}
    failed = outcome.state == "error"
    text = str(body.get("text", outcome.error))
    same = call_digest(call.name, call.arguments, text)
    refs = body.get("artifacts")
    found = tuple(map(ArtifactRef.model_validate, refs)) if isinstance(refs, list) else ()
    delta = body.get("workspace")
    deltas = (ArtifactRef.model_validate(delta),) if delta is not None else ()
    answer = ToolAnswer(call=call.id, name=call.name, text=text, error=failed)
    return replace(
        state,
        messages=(*state.messages, answer),
        pending=tuple(one for one in state.pending if one.id != call.id),
        calls={number: one for number, one in state.calls.items() if number != intent.number},
        last_call=same,
        repeats=state.repeats + 1 if same == state.last_call else 1,
        errors=state.errors + 1 if failed else 0,
        nudges=0,
        artifacts=_without_doubles((*state.artifacts, *found)),
        deltas=(*state.deltas, *deltas),
    )


def _compacted(state: State, outcome: Outcome) -> State:
    body = outcome.body if isinstance(outcome.body, dict) else {}
    kept = int(str(body.get("kept", 0)))
    opening = state.messages[0]
    assert isinstance(opening, User)
    first = opening.text.partition(SUMMARY)[0]
    tail = state.messages[len(state.messages) - kept :] if kept else ()
    usage = TURN.validate_python(body["turn"]).usage if "turn" in body else None
    return replace(
        state,
        messages=(User(text=f"{first}{SUMMARY}{body.get('summary', '')}"), *tail),
        too_long=False,
        unpacked=state.unpacked + 1,
        reading=0,
        read=0,
        compactions=state.compactions + 1,
        spent=state.spent + of_usage(usage) if usage is not None else state.spent,
        usage=_sum(state.usage, usage) if usage is not None else state.usage,
    )


SUMMARY = "\n\n[Earlier work on this, in summary; what follows it came later.]\n\n"
"""Between the task and what stands for the older part of the conversation."""


def _noted(state: State, note: Note) -> State:
    body = note.body if isinstance(note.body, dict) else {}
    if note.what == "told":
        return _told(state, body)
    if note.what != "answered":
        return state
    verdict = str(body.get("verdict", "deny"))
    raised = body.get("budget")
    if isinstance(raised, dict):
        return replace(state, budget={name: float(str(limit)) for name, limit in raised.items()})
    about = next((one for one in state.uncertain if one.number == note.number), None)
    if about is None:
        said: Verdict = "allow" if verdict == "allow" else "skip" if verdict == "skip" else "deny"
        key = (note.number, str(body.get("call", "")))
        return replace(state, verdicts={**state.verdicts, key: said})
    state = replace(state, uncertain=tuple(one for one in state.uncertain if one is not about))
    if verdict == "allow":  # its call is still pending, and is done as a step of its own
        return replace(state, calls={n: call for n, call in state.calls.items() if n != note.number})
    if verdict == "skip":
        skipped = Outcome(
            number=note.number,
            state="error",
            body={
                "text": "Nobody knows whether this was done: its node was lost meanwhile. A person decided to go "
                "on without doing it again. Look first before you rely on it."
            },
        )
        return _used(state, about, skipped)
    return replace(state, stopped=str(body.get("why") or "a person decided that it ends here"))


def _told(state: State, body: Mapping[str, Any]) -> State:
    why, text = body.get("why"), str(body.get("text", ""))
    answer = state.answer
    messages = state.messages
    if answer is not None and isinstance(messages[-1], User):
        # An empty answer left nothing to stand between what was said before and what is said now.
        messages = (*messages, Assistant(text="(no answer)"))
    elif isinstance(messages[-1], User):
        messages, text = messages[:-1], f"{messages[-1].text}\n\n{text}"
    cut = answer is not None and answer.stop == "length" and why == "nudge"
    letters = body.get("ids")
    return replace(
        state,
        messages=(*messages, User(text=text)),
        answer=None,
        parts=(*state.parts, answer.message.text) if cut and answer is not None else (),
        nudges=state.nudges + 1 if why == "nudge" else 0,
        wrapping=str(body.get("words", "")) if why == "wrap_up" else state.wrapping,
        told=state.told | frozenset(map(str, letters)) if isinstance(letters, list) else state.told,
    )


def call_digest(name: str, arguments: Mapping[str, JsonValue] | None, text: str = "") -> str:
    """Return a digest of what a call does, and of what came of it."""
    said = json.dumps([name, arguments, text], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _asks(intent: Intent) -> bool:
    """Return whether a step asks a model: then it may have been paid for."""
    return intent.what != "tool"


def _is_too_long(outcome: Outcome) -> bool:
    return isinstance(outcome.body, dict) and outcome.body.get("too_long") is True


def _sum(one: Usage, other: Usage) -> Usage:
    known = one.usd is not None and other.usd is not None
    return Usage(
        input=one.input + other.input,
        output=one.output + other.output,
        cache_read=one.cache_read + other.cache_read,
        cache_write=one.cache_write + other.cache_write,
        usd=(one.usd or 0.0) + (other.usd or 0.0) if known else None,
    )


def _without_doubles(refs: tuple[ArtifactRef, ...]) -> tuple[ArtifactRef, ...]:
    return tuple({(ref.name, ref.filename): ref for ref in refs}.values())
