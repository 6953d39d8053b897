"""A question in Anthropic's protocol, refused for what the real API refuses. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ..models.conversation import Assistant, Message, ToolAnswer, ToolCall, ToolSpec, User
from .asked import Asked, about_tokens
from .refused import Refused
from .signature import signature
from .strict_schema import check_anthropic, check_valid

_NAMES = (
    "cache_control container context_management diagnostics inference_geo max_tokens messages metadata model "
    "output_config service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k "
    "top_p user_profile_id"
)
_FIELDS = frozenset(_NAMES.split())
_COUNT_FIELDS = _FIELDS - {
    "max_tokens",
    "stream",
    "stop_sequences",
    "metadata",
    "temperature",
    "top_k",
    "top_p",
}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BLOCKS = {
    "user": ("text", "image", "document", "search_result", "tool_result"),
    "assistant": ("text", "tool_use", "thinking", "redacted_thinking"),
}


def read_question(body: Any, *, counting: bool = False) -> Asked:
    """Return the question of `POST /v1/messages`, or of `…/count_tokens`. Raises Refused."""
    if not isinstance(body, dict):
        raise Refused("Input should be a valid dictionary")
    for name in body:
        if name not in (_COUNT_FIELDS if counting else _FIELDS):
            raise Refused(f"{name}: Extra inputs are not permitted")
    model = _field(body, "model", str)
    max_tokens = None if counting else _field(body, "max_tokens", int)
    if max_tokens is not None and max_tokens < 1:
        raise Refused("max_tokens: Input should be greater than or equal to 1")
    tools = tuple(_tool(tool, index) for index, tool in enumerate(_optional(body, "tools", list) or ()))
    if len({tool.name for tool in tools}) < len(tools):
        raise Refused("tools: Tool names must be unique.")
    choice = _optional(body, "tool_choice", dict) or {}
    thinking = _optional(body, "thinking", dict) or {}
    budget = thinking.get("budget_tokens")
    if isinstance(budget, int) and max_tokens is not None and not 1024 <= budget < max_tokens:
        raise Refused(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
            if budget < 1024
            else "`max_tokens` must be greater than `thinking.budget_tokens`."
        )
    return Asked(
        protocol="anthropic",
        model=model,
        system=_text(body.get("system", ""), "system"),
        messages=_messages(_field(body, "messages", list)),
        tools=() if choice.get("type") == "none" else tools,
        forced=_forced(choice, tools),
        schema=_schema(_optional(body, "output_config", dict)),
        max_tokens=max_tokens,
        stream=bool(_optional(body, "stream", bool)),
        thinking=thinking.get("type") in ("enabled", "adaptive"),
        tokens=about_tokens(
            sum(
                len(json.dumps(body.get(key, ""), ensure_ascii=False))
                for key in ("system", "messages", "tools")
            )
        ),
    )


_NAMED = {str: "string", int: "integer", bool: "boolean", list: "list", dict: "dictionary"}


def _field(body: Mapping[str, Any], name: str, kind: type, where: str = "") -> Any:
    if name not in body:
        raise Refused(f"{where}{name}: Field required")
    return _of_kind(body[name], kind, f"{where}{name}")


def _optional(body: Mapping[str, Any], name: str, kind: type) -> Any:
    value = body.get(name)
    return None if value is None else _of_kind(value, kind, name)


def _of_kind(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Refused(f"{where}: Input should be a valid {_NAMED[kind]}")
    return value


def _tool(tool: Any, index: int) -> ToolSpec:
    where = f"tools.{index}.custom."
    _of_kind(tool, dict, f"tools.{index}")
    name = _field(tool, "name", str, where)
    if not _TOOL_NAME.fullmatch(name):
        raise Refused(f"{where}name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    for key in tool:
        if key not in ("name", "description", "input_schema", "cache_control", "type", "strict"):
            raise Refused(f"{where}{key}: Extra inputs are not permitted")
    schema = _field(tool, "input_schema", dict, where)
    if schema.get("type") != "object":
        raise Refused(
            f"{where}input_schema.type: Field required"
            if "type" not in schema
            else f"{where}input_schema.type: Input should be 'object'"
        )
    check_valid(schema, f"{where}input_schema")
    return ToolSpec(
        name=name,
        description=_of_kind(tool.get("description", ""), str, f"{where}description"),
        schema=schema,
    )


def _forced(choice: dict[str, Any], tools: tuple[ToolSpec, ...]) -> str | None:
    if not choice or choice.get("type") in ("auto", "none"):
        return None
    if choice.get("type") == "any":
        return ""
    if choice.get("type") != "tool":
        raise Refused(
            "tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'"
        )
    name = _field(choice, "name", str, "tool_choice.tool.")
    if all(tool.name != name for tool in tools):
        raise Refused(f"Tool '{name}' not found in provided tools")
    return str(name)


def _schema(config: dict[str, Any] | None) -> dict[str, Any] | None:
    for key in config or ():
        if key not in ("effort", "format"):
            raise Refused(f"output_config.{key}: Extra inputs are not permitted")
    form = (config or {}).get("format")
    if form is None:
        return None
    _of_kind(form, dict, "output_config.format")
    if form.get("type") != "json_schema":
        raise Refused("output_config.format.type: Input should be 'json_schema'")
    schema: dict[str, Any] = _field(form, "schema", dict, "output_config.format.")
    check_valid(schema, "output_config.format.schema")
    check_anthropic(schema)
    return schema


def _messages(given: list[Any]) -> tuple[Message, ...]:
    if not given:
        raise Refused("messages: at least one message is required")
    found: list[Message] = []
    names: dict[str, str] = {}
    waiting: list[str] = []
    """The uses of the last answer that have no result yet."""
    roles: list[str] = []
    for index, message in enumerate(given):
        where = f"messages.{index}"
        _of_kind(message, dict, where)
        for key in message:
            if key not in ("role", "content"):
                raise Refused(f"{where}.{key}: Extra inputs are not permitted")
        role = _field(message, "role", str, f"{where}.")
        if role not in _BLOCKS:
            raise Refused(
                f'{where}: Unexpected role "{role}". The Messages API accepts a top-level `system` parameter, '
                'not "system" as an input message role.'
                if role == "system"
                else f"{where}.role: Input should be 'user' or 'assistant'"
            )
        if not roles and role != "user":
            raise Refused('messages: first message must use the "user" role')
        blocks = _blocks(message, where, role)
        if role == "assistant":
            _all_answered(waiting, index)
            found.append(_assistant(blocks, where, names, waiting))
        else:
            found += _said(blocks, where, names, waiting, index)
        roles.append(role)
    if roles[-1] == "assistant":
        raise Refused(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    _all_answered(waiting, len(given))
    return tuple(found)


def _blocks(message: Mapping[str, Any], where: str, role: str) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise Refused(
            f"{where}.content: " + ("Field required" if content is None else "Input should be a valid list")
        )
    if not content:
        raise Refused(
            f"{where}: all messages must have non-empty content except for the optional final assistant message"
        )
    for index, block in enumerate(content):
        at = f"{where}.content.{index}"
        _of_kind(block, dict, at)
        if block.get("type") not in _BLOCKS[role]:
            raise Refused(
                f"{at}: Input tag {block.get('type')!r} found using 'type' does not match any of the expected tags: "
                + ", ".join(repr(one) for one in _BLOCKS[role])
            )
        if block["type"] == "text" and not _field(block, "text", str, f"{at}.text."):
            raise Refused("messages: text content blocks must be non-empty")
    return content


def _assistant(
    blocks: list[dict[str, Any]], where: str, names: dict[str, str], waiting: list[str]
) -> Assistant:
    texts, calls = [], []
    for index, block in enumerate(blocks):
        at = f"{where}.content.{index}"
        match block["type"]:
            case "text":
                texts.append(block["text"])
            case "tool_use":
                call = _field(block, "id", str, f"{at}.tool_use.")
                if call in names:
                    raise Refused("messages: `tool_use` ids must be unique")
                names[call] = _field(block, "name", str, f"{at}.tool_use.")
                waiting.append(call)
                arguments = _field(block, "input", dict, f"{at}.tool_use.")
                calls.append(ToolCall(id=call, name=names[call], arguments=arguments))
            case "thinking":
                said = _field(block, "thinking", str, f"{at}.thinking.")
                if _field(block, "signature", str, f"{at}.thinking.") != signature(said):
                    raise Refused(f"{at}: Invalid `signature` in `thinking` block")
    return Assistant(text="".join(texts), calls=tuple(calls))


def _said(
    blocks: list[dict[str, Any]], where: str, names: dict[str, str], waiting: list[str], at_message: int
) -> list[Message]:
    answers: list[Message] = []
    texts: list[str] = []
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            texts.append(block["text"])
        if block["type"] != "tool_result":
            # Results come first in their message; what stands before them counts as in their place.
            _all_answered(waiting, at_message)
            continue
        at = f"{where}.content.{index}"
        call = _field(block, "tool_use_id", str, f"{at}.tool_result.")
        if call not in waiting:
            if any(isinstance(one, ToolAnswer) and one.call == call for one in answers):
                raise Refused(
                    f"messages: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {call}"
                )
            raise Refused(
                f"{at}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each `tool_result` block "
                "must have a corresponding `tool_use` block in the previous message."
            )
        waiting.remove(call)
        text = _text(block.get("content", ""), f"{at}.tool_result.content")
        answers.append(ToolAnswer(call=call, name=names[call], text=text, error=bool(block.get("is_error"))))
    _all_answered(waiting, at_message)
    return [*answers, User(text="\n".join(texts))] if texts or not answers else answers


def _all_answered(waiting: list[str], at_message: int) -> None:
    if waiting:
        raise Refused(
            f"messages.{at_message - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(waiting)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )


def _text(content: Any, where: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    texts = []
    for index, block in enumerate(_of_kind(content, list, where)):
        _of_kind(block, dict, f"{where}.{index}")
        if block.get("type") == "text":
            texts.append(_field(block, "text", str, f"{where}.{index}.text."))
    return "\n".join(texts)
