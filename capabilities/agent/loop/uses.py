"""Uses: what the model asks of its tools is done, as far as the policy allows, and written down."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from pydantic import JsonValue

from ....errors import BudgetSpent, JobCancelled
from ....swarm.records import ArtifactRef
from ....swarm.steps import Intent, Note, Outcome
from ..approvals.asking import WAITS, Answer, Asking
from ..approvals.decide import decide
from ..models.conversation import ToolCall
from ..tools.inside.confined import touched
from ..tools.tool import Place, Prepared, Tool, ToolResult
from ..tools.traced import use_traced
from .answers import mismatch
from .clean import clean, cut, is_long, plain
from .shown import shown
from .state import call_digest
from .work import Work

log = logging.getLogger(__name__)

CUT_OFF = ToolResult(
    text="Ended before it was done, as its node stops. What it had done by then stands: look first, then do the "
    "rest, or do it again.",
    error=True,
)
"""What a use comes to that a drain ends: as after a time limit, nobody has to be asked."""


async def use_tools(work: Work, calls: tuple[ToolCall, ...], environment: Mapping[str, str]) -> None:
    """Do some calls, beside one another where there are several."""
    if len(calls) == 1:
        await _use(work, calls[0], work.next_number, environment)
        return
    first = work.next_number
    await _beside(work, {first + n: call for n, call in enumerate(calls)}, environment)


async def use_again(work: Work, intents: tuple[Intent, ...], environment: Mapping[str, str]) -> None:
    """Repeat calls that were in flight at a crash, under their numbers."""
    calls = {one.number: work.state.calls[one.number] for one in intents if one.number in work.state.calls}
    for number, call in calls.items():
        await _use(work, call, number, environment)


async def ask_about_uncertain(work: Work, intent: Intent) -> None:
    """Let a person say what is to become of a step of which nobody knows whether it was done."""
    call = work.state.calls.get(intent.number)
    what = f"{intent.name} {shown(call.arguments) if call is not None else ''}".strip()
    answer = await _ask(
        work,
        Asking(
            about="uncertain",
            number=intent.number,
            digest=intent.digest,
            tool=intent.name,
            call=intent.call,
            text=f"{what}: its node was lost while this was done, and nobody knows how far it came. Do it again?",
        ),
    )
    why = (
        answer.why
        or f"{what} was in doubt after its node was lost, and {answer.by or 'nobody'} did not have it done again"
    )
    await _note_answer(work, intent.number, answer, why, call=intent.call)


async def _beside(work: Work, calls: Mapping[int, ToolCall], environment: Mapping[str, str]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for number, call in calls.items():
                group.create_task(_use(work, call, number, environment), name=f"{call.name} {number}")
    except ExceptionGroup as errors:
        # The first of them says it; that the task was taken over goes before whatever came of that.
        fenced = (error for error in errors.exceptions if isinstance(error, JobCancelled))
        raise next(fenced, errors.exceptions[0]) from None


async def _use(work: Work, call: ToolCall, number: int, environment: Mapping[str, str]) -> None:
    tool = work.box.find(call.name)
    if tool is None:
        await _refuse(work, call, number, work.box.unknown(call.name))
        return
    arguments = call.arguments
    if arguments is None:
        await _refuse(work, call, number, f"the arguments are no JSON object: {call.raw[:300]}")
        return
    problem = mismatch(arguments, tool.spec.schema)
    if problem:
        await _refuse(work, call, number, f"the arguments do not fit {call.name}: {problem}")
        return
    why = await _ruled_out(work, call, number, arguments)
    if why:
        await _refuse(work, call, number, why)
        return
    place = Place(
        root=work.workspace.root,
        context=work.context,
        call=str(number),
        environment=environment,
    )
    if isinstance(tool, Prepared):
        with suppress(OSError):  # as of a full disk: the use meets it too, and the model is told
            await tool.prepare(place)
    repeatable = tool.repeatable
    await work.write(_intent(call, number, repeatable=repeatable))
    beside = call.name in work.rules.alongside
    try:
        result = await _result(tool, arguments, place)
    except asyncio.CancelledError:
        if work.context.draining and not repeatable:
            await _end_use(work, number, CUT_OFF, beside=beside)
        raise
    await _end_use(work, number, result, beside=beside)


async def _end_use(work: Work, number: int, result: ToolResult, *, beside: bool) -> None:
    """Write down what came of a use, with what it left in the workspace."""
    delta = None if beside else await work.workspace.save()
    await work.write(await _outcome(work, number, result, delta))


async def _result(tool: Tool, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
    try:
        return await use_traced(tool, arguments, place)
    except (JobCancelled, BudgetSpent):
        raise
    except Exception as error:
        # A tool may raise anything; the model is told, and decides what to do.
        log.debug("tool %s raised", tool.spec.name, exc_info=True)
        said = " ".join(str(error).split())[:1000]
        return ToolResult(text=f"{tool.spec.name} failed: {type(error).__name__}: {said}", error=True)


async def _ruled_out(work: Work, call: ToolCall, number: int, arguments: Mapping[str, JsonValue]) -> str:
    """Return in words why a call may not be done; empty: it may."""
    verdict = work.state.verdicts.get((number, call.id))
    if verdict == "allow":
        return ""
    if verdict is not None:
        return "a person said no to this: do something else, or end with what there is"
    root = work.workspace.root
    path = arguments.get("path")
    also = await asyncio.to_thread(touched, root, path) if isinstance(path, str) else ()
    ruling = decide(work.terms.policy, call.name, arguments, root=str(root), also=also)
    if ruling.decision == "allow":
        return ""
    if ruling.decision == "deny":
        return f"the policy denies this: {ruling.why or 'no rule allows it'}; do something else"
    asking = Asking(
        about="tool",
        number=number,
        digest=call_digest(call.name, arguments),
        tool=call.name,
        call=call.id,
        text=f"{call.name} {shown(arguments)}",
        rules=ruling.rules,
    )
    answer = await _ask(work, asking)
    await _note_answer(work, number, answer, answer.why, call=call.id)
    if answer.verdict == "allow":
        return ""
    return f"{answer.by or 'a person'} said no to this{': ' + answer.why if answer.why else ''}: do something else"


async def _ask(work: Work, asking: Asking) -> Answer:
    if not any(
        isinstance(step, Note) and step.what == "asked" and step.number == asking.number
        for step in work.journal.steps
    ):
        await work.write(
            Note(what="asked", number=asking.number, body=clean({"about": asking.about, "text": asking.text}))
        )
    await work.context.progress(f"{WAITS}{asking.text[:300]}")
    return await work.context.approvals.ask(asking)


async def _note_answer(work: Work, number: int, answer: Answer, why: str, *, call: str) -> None:
    body = clean({"verdict": answer.verdict, "by": answer.by, "why": why, "call": call})
    await work.write(Note(what="answered", number=number, body=body))


async def _refuse(work: Work, call: ToolCall, number: int, why: str) -> None:
    """Answer a call without doing it."""
    await work.write(_intent(call, number, repeatable=True))
    await work.write(Outcome(number=number, state="error", body=clean({"text": why})))


def _intent(call: ToolCall, number: int, *, repeatable: bool) -> Intent:
    return Intent(
        number=number,
        what="tool",
        name=plain(call.name)[:200],
        call=plain(call.id),
        repeatable=repeatable,
        digest=call_digest(call.name, call.arguments),
    )


async def _outcome(work: Work, number: int, result: ToolResult, delta: ArtifactRef | None) -> Outcome:
    text, artifacts = result.text, list(result.artifacts)
    if is_long(text):
        whole = await work.context.artifacts.put(
            text.encode("utf-8", "replace"), media_type="text/plain", filename=f"tool-{number}.txt"
        )
        artifacts.append(whole)
        text = cut(text, f"the whole is the artifact {whole.filename}")
    body: dict[str, JsonValue] = {"text": text}
    if artifacts:
        body["artifacts"] = [ref.model_dump(mode="json", exclude_none=True) for ref in artifacts]
    if delta is not None:
        body["workspace"] = delta.model_dump(mode="json", exclude_none=True)
    state: Literal["ok", "error"] = "error" if result.error else "ok"
    return Outcome(number=number, state=state, body=clean(body))
