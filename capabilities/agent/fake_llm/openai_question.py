"""A question in OpenAI's chat completions, refused for what the real API refuses. Pure."""

import json
import re
from typing import Any

from ..models.conversation import Assistant, Message, ToolAnswer, ToolCall, ToolSpec, User
from .asked import Asked, about_tokens
from .refused import Refused
from .strict_schema import check_openai, check_valid

_NAMES = (
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages "
    "metadata modalities model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key "
    "prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed "
    "service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user "
    "verbosity web_search_options"
)
_FIELDS = frozenset(_NAMES.split())
_ROLES = ("system", "developer", "user", "assistant", "tool")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NAMED = {str: "a string", int: "an integer", bool: "a boolean", list: "an array", dict: "an object"}


def read_question(body: Any) -> Asked:
    """Return the question of `POST /v1/chat/completions`. Raises Refused."""
    if not isinstance(body, dict):
        raise Refused("We could not parse the JSON body of your request: it must be an object.")
    for name in body:
        if name not in _FIELDS:
            raise Refused(f"Unrecognized request argument supplied: {name}", param=name)
    if "model" not in body:
        raise Refused("you must provide a model parameter")
    system, messages = _messages(_field(body, "messages", list, "messages"))
    tools = tuple(
        _tool(tool, f"tools[{index}]") for index, tool in enumerate(_optional(body, "tools", list) or ())
    )
    if body.get("tools") == []:
        raise Refused(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="tools",
        )
    if body.get("n") not in (None, 1):
        raise Refused("Invalid 'n': this server gives one answer.", param="n")
    stream = bool(_optional(body, "stream", bool))
    options = _optional(body, "stream_options", dict)
    if options is not None and not stream:
        raise Refused(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    longest = [_optional(body, name, int) for name in ("max_completion_tokens", "max_tokens")]
    return Asked(
        protocol="openai",
        model=_field(body, "model", str, "model"),
        system=system,
        messages=messages,
        tools=() if body.get("tool_choice") == "none" else tools,
        forced=_forced(body.get("tool_choice"), tools),
        schema=_schema(_optional(body, "response_format", dict), body["messages"]),
        max_tokens=next((one for one in longest if one is not None), None),
        stream=stream,
        with_usage=bool((options or {}).get("include_usage")),
        tokens=about_tokens(
            sum(len(json.dumps(body.get(key, ""), ensure_ascii=False)) for key in ("messages", "tools"))
        ),
    )


def _field(value: dict[str, Any], name: str, kind: type, where: str) -> Any:
    if value.get(name) is None:
        raise Refused(f"Missing required parameter: '{where}'.", param=where)
    return _of_kind(value[name], kind, where)


def _optional(body: dict[str, Any], name: str, kind: type) -> Any:
    return None if body.get(name) is None else _of_kind(body[name], kind, name)


def _of_kind(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refused(
            f"Invalid type for '{where}': expected {_NAMED[kind]}, but got {_got(value)} instead.",
            param=where,
        )
    return value


def _got(value: Any) -> str:
    return next((name for kind, name in _NAMED.items() if type(value) is kind), "another value")


def _tool(tool: Any, where: str) -> ToolSpec:
    _of_kind(tool, dict, where)
    if tool.get("type") != "function":
        raise Refused(
            f"Invalid value: '{tool.get('type')}'. Supported values are: 'function'.", param=f"{where}.type"
        )
    function = _field(tool, "function", dict, f"{where}.function")
    name = _named(function, f"{where}.function.name")
    schema = _of_kind(function.get("parameters") or {}, dict, f"{where}.function.parameters")
    check_valid(schema, f"{where}.function.parameters")
    return ToolSpec(
        name=name,
        description=_of_kind(function.get("description") or "", str, f"{where}.function.description"),
        schema=schema,
    )


def _named(function: dict[str, Any], where: str) -> str:
    name = _field(function, "name", str, where)
    if not _NAME.fullmatch(name):
        raise Refused(
            f"Invalid '{where}': string does not match pattern. Expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$'.",
            param=where,
        )
    return str(name)


def _forced(choice: Any, tools: tuple[ToolSpec, ...]) -> str | None:
    if choice is None or choice in ("auto", "none"):
        return None
    if not tools:
        raise Refused("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    if choice == "required":
        return ""
    if not isinstance(choice, dict):
        raise Refused(
            f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'.",
            param="tool_choice",
        )
    name = _field(
        _field(choice, "function", dict, "tool_choice.function"), "name", str, "tool_choice.function.name"
    )
    if all(tool.name != name for tool in tools):
        raise Refused(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    return str(name)


def _schema(form: dict[str, Any] | None, messages: list[Any]) -> dict[str, Any] | None:
    kind = (form or {}).get("type")
    if form is None or kind == "text":
        return None
    if kind == "json_object":
        if "json" not in json.dumps(messages).lower():
            raise Refused(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                param="messages",
            )
        return {"type": "object"}
    if kind != "json_schema":
        raise Refused(
            f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and 'text'.",
            param="response_format.type",
        )
    named = _field(form, "json_schema", dict, "response_format.json_schema")
    _named(named, "response_format.json_schema.name")
    schema: dict[str, Any] = _field(named, "schema", dict, "response_format.json_schema.schema")
    check_valid(schema, "response_format.json_schema.schema")
    if named.get("strict"):
        check_openai(schema, named["name"])
    return schema


def _messages(given: list[Any]) -> tuple[str, tuple[Message, ...]]:
    if not given:
        raise Refused(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="messages",
        )
    system: list[str] = []
    found: list[Message] = []
    waiting: dict[str, str] = {}
    """Calls of the last answer that have no result yet, with their tools."""
    for index, message in enumerate(given):
        where = f"messages[{index}]"
        _of_kind(message, dict, where)
        role = _field(message, "role", str, f"{where}.role")
        if role not in _ROLES:
            raise Refused(
                f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', "
                "and 'developer'.",
                param=f"{where}.role",
            )
        if role != "tool":
            _all_answered(waiting, index)
        if role == "assistant":
            answer = _assistant(message, where)
            waiting = {call.id: call.name for call in answer.calls}
            found.append(answer)
        elif role == "tool":
            call = _field(message, "tool_call_id", str, f"{where}.tool_call_id")
            if call not in waiting:
                raise Refused(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    param=f"messages.[{index}].role",
                )
            found.append(ToolAnswer(call=call, name=waiting.pop(call), text=_text(message, where)))
        elif role == "user":
            found.append(User(text=_text(message, where)))
        else:
            system.append(_text(message, where))
    _all_answered(waiting, len(given))
    return "\n".join(system), tuple(found)


def _all_answered(waiting: dict[str, str], at: int) -> None:
    if waiting:
        raise Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}",
            param=f"messages.[{at}].role",
        )


def _assistant(message: dict[str, Any], where: str) -> Assistant:
    calls = []
    for index, call in enumerate(_of_kind(message.get("tool_calls") or [], list, f"{where}.tool_calls")):
        at = f"{where}.tool_calls[{index}]"
        _of_kind(call, dict, at)
        function = _field(call, "function", dict, f"{at}.function")
        name = _named(function, f"{at}.function.name")
        raw = _field(function, "arguments", str, f"{at}.function.arguments")
        calls.append(ToolCall(id=_field(call, "id", str, f"{at}.id"), name=name, raw=raw))
    if not calls and message.get("content") is None and message.get("refusal") is None:
        raise Refused("Invalid value for 'content': expected a string, got null.", param=f"{where}.content")
    return Assistant(
        text=_text(message, where) if message.get("content") is not None else "", calls=tuple(calls)
    )


def _text(message: dict[str, Any], where: str) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Refused("Invalid value for 'content': expected a string, got null.", param=f"{where}.content")
    texts = []
    for index, part in enumerate(content):
        at = f"{where}.content[{index}]"
        if _of_kind(part, dict, at).get("type") == "text":
            texts.append(_field(part, "text", str, f"{at}.text"))
    return "\n".join(texts)
