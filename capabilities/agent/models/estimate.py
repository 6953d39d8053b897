"""How many tokens a question takes, before any provider counts them. Pure, and rough on purpose."""

import json

from .client import Question
from .conversation import Assistant, Message, ToolAnswer, Usage

_BYTES = 3.5
"""UTF-8 bytes of a token: English has four, code and other languages fewer."""
_ANSWER = 1024
"""Tokens of an answer that is shorter than it may be, as most are."""


def tokens_of(text: str) -> int:
    """Return the tokens of a text, rather too many than too few."""
    return int(len(text.encode("utf-8", "replace")) / _BYTES) + 1


def input_tokens(question: Question) -> int:
    """Return the tokens that a model reads for a question."""
    tools = sum(
        tokens_of(tool.name) + tokens_of(tool.description) + tokens_of(json.dumps(tool.schema)) + 20
        for tool in question.tools
    )
    return tokens_of(question.system) + tools + sum(map(message_tokens, question.messages))


def message_tokens(message: Message) -> int:
    """Return the tokens of one message."""
    count = 8 + tokens_of(message.text)
    if isinstance(message, Assistant):
        count += sum(
            tokens_of(json.dumps(call.arguments) if call.arguments else call.raw) + 20
            for call in message.calls
        )
        if message.blocks is not None:
            count = max(count, tokens_of(json.dumps(message.blocks)))
    elif isinstance(message, ToolAnswer):
        count += 12
    return count


def likely_tokens(question: Question) -> int:
    """Return the tokens, read and written, that a question likely takes."""
    return input_tokens(question) + min(question.max_tokens, _ANSWER)


def estimated(question: Question, answer: Assistant) -> Usage:
    """Return the usage of a turn that its provider did not count; its price is unknown."""
    return Usage(input=input_tokens(question), output=message_tokens(answer))
