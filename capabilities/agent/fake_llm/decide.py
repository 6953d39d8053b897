"""Which answer a question gets. Pure: a script, what it has answered so far, a question."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase

from pydantic import JsonValue

from ..models.conversation import Stop, ToolSpec
from .asked import Asked, about_tokens
from .filled import fill, filled
from .made_up import made_up
from .script import Answer, Malformed, Refusal, Rule, Script, When

HARMLESS = ("glob", "grep", "read", "recall")
"""What a made-up use of a tool takes first."""
_LAST = frozenset({"bash", "write", "edit", "delegate", "agent_spawn", "message", "share"})
"""What it takes only if nothing else is offered: these change something, or cost something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A use of a tool; `arguments` is the JSON text that goes out, or what stands in its place."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Tokens that an answer says it took; `input` with what came from a cache."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer with nothing left open but its protocol."""

    rule: str
    text: str = ""
    thinking: str = ""
    calls: tuple[Call, ...] = ()
    stop: Stop = "end"
    counted: Counted = Counted(input=0, output=0)
    error: Refusal | None = None
    """With `after` it comes in the midst of the stream."""
    first: timedelta = timedelta()
    between: timedelta = timedelta()
    cut: int | None = None
    malformed: Malformed | None = None


def known(script: Script, model: str) -> bool:
    """Whether the server has such a model."""
    return not script.models or any(fnmatchcase(model, one) for one in script.models)


def choose(script: Script, used: Mapping[str, int], asked: Asked) -> Rule | None:
    """Return the first rule that matches and has not answered as often as it may."""
    for rule in script.rules:
        if (rule.times is None or used.get(rule.name, 0) < rule.times) and matches(rule.when, asked):
            return rule
    return None


def matches(when: When, asked: Asked) -> bool:
    """Whether a question is as `when` says."""
    results = asked.results
    offered = {tool.name for tool in asked.tools}
    if when.answered is not None:
        last = results[-1].name if results else None
        if isinstance(when.answered, bool):
            if when.answered is not (last is not None):
                return False
        elif all(one.name != when.answered for one in results):
            return False
    return (
        _found(when.model, asked.model)
        and _found(when.system, asked.system)
        and _found(when.user, asked.user)
        and (when.result is None or any(when.result.search(one.text) for one in results))
        and set(when.offers) <= offered
        and when.tools in (None, bool(offered))
        and (not when.turn or asked.turn in when.turn)
        and when.schema in (None, asked.schema is not None)
        and when.stream in (None, asked.stream)
        and when.protocol in (None, asked.protocol)
    )


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is None or pattern.search(text) is not None


def answer(rule: Rule, asked: Asked) -> Given:
    """Return the rule's answer to a question that it matches."""
    chosen = rule.answers[min(asked.turn, len(rule.answers)) - 1]
    values = _values(rule.when, asked)
    error = chosen.error and replace(chosen.error, message=fill(chosen.error.message, values))
    if error is not None and (error.after is None or not asked.stream):
        return Given(rule=rule.name, error=error, first=chosen.first)
    calls = _calls(chosen, asked, values)
    text, short = _within(_text(chosen, asked, values), asked.max_tokens)
    thinking = fill(chosen.thinking, values)
    written = len(text) + len(thinking) + sum(len(call.name) + len(call.arguments) for call in calls)
    tokens = chosen.tokens
    return Given(
        rule=rule.name,
        text=text,
        thinking=thinking,
        calls=calls,
        stop=chosen.stop or ("length" if short else "tools" if calls else "end"),
        counted=Counted(
            input=asked.tokens if tokens.input is None else tokens.input,
            output=about_tokens(written) if tokens.output is None else tokens.output,
            cache_read=tokens.cache_read or 0,
            cache_write=tokens.cache_write or 0,
        ),
        error=error,
        first=chosen.first,
        between=chosen.between,
        cut=chosen.cut,
        malformed=chosen.malformed,
    )


def _text(chosen: Answer, asked: Asked, values: Mapping[str, str]) -> str:
    if chosen.structured:
        wanted = {key: filled(value, values) for key, value in chosen.values.items()}
        return _json(made_up(asked.schema or {}, wanted, asked.user.strip()[:200]))
    if chosen.has_json:
        return _json(filled(chosen.json, values))
    return fill(chosen.text, values)


def _within(text: str, max_tokens: int | None) -> tuple[str, bool]:
    """Cut a text off where a model would have to stop, and say whether it was."""
    if max_tokens is None or not text or about_tokens(len(text)) <= max_tokens:
        return text, False
    return text[: max_tokens * 4], True


def _calls(chosen: Answer, asked: Asked, values: Mapping[str, str]) -> tuple[Call, ...]:
    calls = [Call(name=use.name, arguments=_arguments(filled(use.arguments, values))) for use in chosen.tools]
    if chosen.any_tool and asked.tools:
        tool = _one_of(asked)
        calls.append(Call(name=tool.name, arguments=_json(made_up(tool.schema, chosen.values, "rehearsal"))))
    if chosen.malformed == "arguments":
        calls = [Call(name=call.name, arguments=call.arguments.rstrip("}") + ', "') for call in calls]
    return tuple(calls)


def _arguments(value: JsonValue) -> str:
    return value if isinstance(value, str) else _json(value)


def _one_of(asked: Asked) -> ToolSpec:
    def rank(tool: ToolSpec) -> int:
        if tool.name == asked.forced:
            return -1
        return HARMLESS.index(tool.name) if tool.name in HARMLESS else 10 + (tool.name in _LAST)

    return min(asked.tools, key=rank)


def _values(when: When, asked: Asked) -> dict[str, str]:
    results = asked.results
    values = {
        "model": asked.model,
        "user": asked.user,
        "result": "\n".join(one.text for one in results),
        "tool": results[-1].name if results else "",
        "turn": str(asked.turn),
    }
    places = (
        (when.model, [asked.model]),
        (when.system, [asked.system]),
        (when.result, [one.text for one in results]),
        (when.user, [asked.user]),
    )
    for pattern, texts in places:
        if pattern is None:
            continue
        found = next((hit for text in texts if (hit := pattern.search(text))), None)
        if found is not None:
            values |= {str(number + 1): group or "" for number, group in enumerate(found.groups())}
            values |= {name: group or "" for name, group in found.groupdict().items()}
    return values


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
