"""Questions passed on to a real model, or a recorded one, and its answer in the terms of this server."""

import json

from ....errors import ContextTooLong, ModelKeyRefused, ModelRefused, ModelUnavailable
from ..models.client import ModelClient, Question
from ..models.conversation import Turn
from .asked import Asked
from .decide import Call, Counted, Given
from .refused import Refused
from .script import Kind, Refusal

_MAX_TOKENS = 8192
"""Of an answer whose question does not say how long it may be, as OpenAI's need not."""


async def passed_on(models: ModelClient, model: str, asked: Asked) -> Given:
    """Ask `model`, and return its answer; what it refuses is refused in its own words. Raises Refused."""
    question = Question(
        model=model,
        system=asked.system,
        messages=asked.messages,
        tools=asked.tools,
        schema=asked.schema,
        max_tokens=asked.max_tokens or _MAX_TOKENS,
    )
    try:
        turn = await models.ask(question)
    except ModelUnavailable as error:
        raise Refused.of(Refusal(kind="overloaded", message=str(error), retry_after=error.delay)) from None
    except ModelRefused as error:
        raise Refused(str(error), kind=_kind(error)) from None
    return _given(turn)


def _kind(error: ModelRefused) -> Kind:
    if isinstance(error, ContextTooLong):
        return "too_long"
    return "permission" if isinstance(error, ModelKeyRefused) else "invalid"


def _given(turn: Turn) -> Given:
    calls = tuple(
        Call(
            name=call.name,
            arguments=call.raw if call.arguments is None else json.dumps(call.arguments, ensure_ascii=False),
        )
        for call in turn.message.calls
    )
    usage = turn.usage
    return Given(
        rule=turn.model,
        text=turn.message.text,
        calls=calls,
        stop=turn.stop,
        counted=Counted(
            input=usage.input,
            output=usage.output,
            cache_read=usage.cache_read,
            cache_write=usage.cache_write,
        ),
    )
