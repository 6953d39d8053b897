"""A script: which answer meets which question, and what goes wrong on the way."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from pydantic import JsonValue

from ..models.conversation import Stop

Malformed = Literal["body", "stream", "arguments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a question must be like; what is not said is all the same."""

    model: re.Pattern[str] | None = None
    system: re.Pattern[str] | None = None
    user: re.Pattern[str] | None = None
    """Searched in what a person said last."""
    result: re.Pattern[str] | None = None
    """Searched in what the tools said to the last answer; without one it does not match."""
    answered: str | bool | None = None
    """The tool whose answer ends the conversation; True: any, False: none."""
    offers: tuple[str, ...] = ()
    """Tools that must be offered."""
    tools: bool | None = None
    """Whether any tool is offered."""
    turn: tuple[int, ...] = ()
    """Numbers of the answer that is wanted, in its conversation, from 1."""
    schema: bool | None = None
    """Whether the answer must meet a schema."""
    stream: bool | None = None
    protocol: str | None = None

    @property
    def groups(self) -> frozenset[str]:
        """Names and numbers of what the regular expressions capture."""
        found: set[str] = set()
        for pattern in (self.model, self.system, self.user, self.result):
            if pattern is not None:
                found |= set(pattern.groupindex) | {str(number + 1) for number in range(pattern.groups)}
        return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A use of a tool that an answer asks for."""

    name: str
    arguments: JsonValue
    """An object in which `${…}` are filled in; a text goes out as it is, whether or not it is JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an answer says that it took; what is None is counted."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None


Kind = Literal[
    "invalid",
    "key",
    "permission",
    "no_credit",
    "unknown_model",
    "too_large",
    "too_long",
    "rate_limited",
    "server_error",
    "timeout",
    "overloaded",
]
"""What a provider refuses a question for; each protocol has its own words for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that is an error of the provider."""

    kind: Kind
    message: str = ""
    """Empty: what the provider itself would say."""
    status: int | None = None
    """None: the provider's own for this kind."""
    retry_after: timedelta | None = None
    as_date: bool = False
    """`retry_after` goes out as the date when it ends, in whole seconds, as some gateways have it."""
    after: int | None = None
    """Pieces of a stream that come before it; without a stream it comes at once."""
    param: str | None = None
    """What of the question is wrong, where the protocol says so apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, and what goes wrong with it."""

    text: str = ""
    thinking: str = ""
    tools: tuple[Use, ...] = ()
    json: JsonValue = None
    has_json: bool = False
    """Whether `json` is the text; None may be meant."""
    structured: bool = False
    """Make the text up so that it meets the question's schema."""
    values: dict[str, JsonValue] = field(default_factory=dict)
    """Of a structured answer: what these keys are, wherever they stand in the schema."""
    any_tool: bool = False
    """Use one of the tools that are offered, a harmless one if there is one."""
    stop: Stop | None = None
    """None: what goes with the answer."""
    tokens: Tokens = field(default_factory=Tokens)
    error: Refusal | None = None
    first: timedelta = timedelta()
    """How long the first piece takes."""
    between: timedelta = timedelta()
    """How long each further piece takes."""
    cut: int | None = None
    """Pieces of the stream after which the connection is cut; without a stream it is cut in the body."""
    malformed: Malformed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Answers for the questions that match."""

    name: str
    """Its own, or `rule N`."""
    when: When
    answers: tuple[Answer, ...]
    """More than one: the first turn of a conversation gets the first, the last stays."""
    times: int | None = None
    """How often it answers, on this server; then the rules after it do."""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """All that a server says."""

    rules: tuple[Rule, ...]
    models: tuple[str, ...] = ()
    """Names or shell patterns; empty: every model is known."""
    keys: tuple[str, ...] = ()
    """Keys that are let in; empty: every key, but there must be one."""
    context: int | None = None
    """Tokens that a question may be long."""
