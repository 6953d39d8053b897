"""Traced: the span of one question to one model."""

from ....swarm.tracing import names
from ....swarm.tracing.spans import Value, span
from .client import ModelClient, OnText, Question
from .conversation import MESSAGES, Turn
from .named import read_model


async def ask_traced(client: ModelClient, question: Question, on_text: OnText | None) -> Turn:
    """Ask as `ModelClient.ask`, in a span where somebody traces."""
    model = read_model(question.model)
    about: dict[str, Value] = {
        names.PROVIDER: model.provider.name,
        names.REQUEST_MODEL: question.model,
        names.REQUEST_MAX_TOKENS: question.max_tokens,
    }
    with span(question.model, names.CHAT, about) as here:
        turn = await client.ask(question, on_text)
        here.set(
            {
                names.RESPONSE_MODEL: turn.model,
                names.FINISH_REASONS: (turn.stop,),
                names.INPUT_TOKENS: turn.usage.input,
                names.OUTPUT_TOKENS: turn.usage.output,
            }
        )
        if here.content:
            here.set(
                {
                    names.INPUT_MESSAGES: MESSAGES.dump_json(question.messages).decode(),
                    names.OUTPUT_MESSAGES: MESSAGES.dump_json((turn.message,)).decode(),
                }
            )
        return turn
