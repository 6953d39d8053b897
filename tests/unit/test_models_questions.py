"""Questions in the providers' words: what goes out is what they take, whatever the conversation holds."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import JsonValue

from picoclaw.capabilities.agent.fake_llm.strict_schema import check_anthropic
from picoclaw.capabilities.agent.models.anthropic_answer import Answer, Cut
from picoclaw.capabilities.agent.models.anthropic_question import parameters
from picoclaw.capabilities.agent.models.client import Question
from picoclaw.capabilities.agent.models.conversation import (
    Assistant,
    ToolAnswer,
    ToolCall,
    ToolSpec,
    Usage,
    User,
)
from picoclaw.capabilities.agent.models.held_schema import held
from picoclaw.capabilities.agent.models.listing import has_model
from picoclaw.capabilities.agent.models.litellm_answer import StreamedAnswer
from picoclaw.capabilities.agent.models.litellm_question import is_strict
from picoclaw.capabilities.agent.models.litellm_question import parameters as litellm_parameters
from picoclaw.capabilities.agent.models.named import Access, read_model

pytestmark = pytest.mark.unit

STEP: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z]+$"},
        "after": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        "cost": {"type": ["number", "null"], "minimum": 0, "default": None},
        "kind": {"enum": ["a", "b"]},
        "when": {"type": "string", "format": "date-time"},
        "sub": {"anyOf": [{"$ref": "#/$defs/Sub"}, {"type": "null"}]},
    },
    "required": ["id"],
    "$defs": {"Sub": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
}
OPEN: list[Any] = [
    {"type": "object"},
    {"type": "object", "properties": {}, "additionalProperties": True},
    {"type": "object", "properties": {"a": {}}},
    {"type": "object", "properties": {"a": {"type": "array"}}},
    {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {}, "patternProperties": {"a": {"type": "string"}}},
    {},
]


def question(**more: Any) -> Question:
    return Question(model="claude-opus-5", system="Plan.", messages=(User(text="go"),), **more)


def test_a_closed_schema_is_held_to() -> None:
    told = held(STEP)
    assert told is not None
    check_anthropic(told)
    Draft202012Validator.check_schema(told)
    assert "maxLength: 40" in told["properties"]["id"]["description"]
    assert told["properties"]["cost"]["anyOf"][1] == {"type": "null", "description": "(minimum: 0)"}
    values: list[Any] = [{"id": "a"}, {"id": "a", "cost": None, "sub": {"x": 1}, "kind": "b"}]
    for value in values:
        assert Draft202012Validator(told).is_valid(value)
        assert Draft202012Validator(STEP).is_valid(value)
    for value in ({}, {"id": 1}, {"id": "a", "kind": "c"}, {"id": "a", "sub": {}}):
        assert not Draft202012Validator(told).is_valid(value)
    assert held(told) == told


@pytest.mark.parametrize("schema", OPEN)
def test_an_open_schema_is_told_in_words(schema: dict[str, Any]) -> None:
    assert held(schema) is None
    told = parameters(question(schema=schema), "claude-opus-5")
    assert "output_config" not in told
    assert json.dumps(schema) in told["system"][0]["text"]
    assert told["system"][0]["text"].startswith("Plan.")


def test_what_was_used_stands_among_the_tools_and_cannot_be_chosen() -> None:
    call = ToolCall(id="t", name="read", arguments={})
    messages = (User(text="go"), Assistant(calls=(call, call)), ToolAnswer(call="t", name="read", text="x"))
    told = parameters(Question(model="m", system="", messages=messages), "m")
    assert [tool["name"] for tool in told["tools"]] == ["read"]
    assert told["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in parameters(question(), "m")


def test_at_most_four_places_are_cached() -> None:
    messages = tuple(User(text=str(n)) if n % 2 else Assistant(text=str(n)) for n in range(1, 10))
    tools = tuple(ToolSpec(name=n, description="", schema={"type": "object"}) for n in "abc")
    told = parameters(Question(model="m", system="s", messages=messages, tools=tools), "m")
    assert json.dumps(told).count("cache_control") == 4
    marked = [n for n, one in enumerate(told["messages"]) if "cache_control" in one["content"][-1]]
    assert marked == [6, 8], "what is new, and what was new the turn before"


def test_a_schema_that_cannot_be_held_to_is_told_in_words() -> None:
    asked = question(schema={"type": "object", "properties": {"a": {"type": "string"}}})
    here = parameters(asked, "claude-3-haiku", may_hold=False)
    assert "output_config" not in here
    assert '"properties"' in here["system"][0]["text"]
    there = litellm_parameters(asked, read_model("cohere/command-a"), Access(), stream=True, held=False)
    assert "response_format" not in there
    assert '"properties"' in there["messages"][0]["content"]


@pytest.mark.parametrize(
    ("model", "tools", "held", "told"),
    [
        ("openai/gpt-5.5", True, True, False),
        ("openai/gpt-5.5", False, True, False),
        ("ollama/qwen3", True, False, True),
        ("ollama/qwen3", False, True, True),
        ("openrouter/z-ai/glm-5", True, False, True),
    ],
)
def test_who_uses_tools_is_held_to_a_schema_only_where_that_leaves_the_tools(
    model: str, tools: bool, held: bool, told: bool
) -> None:
    asked = question(
        schema={"type": "object"},
        tools=(ToolSpec(name="read", description="", schema={"type": "object"}),) if tools else (),
    )
    sent = litellm_parameters(asked, read_model(model), Access(), stream=True)
    assert ("response_format" in sent) is held
    assert ("JSON Schema" in sent["messages"][0]["content"]) is told
    last = litellm_parameters(replace(asked, may_use_tools=False), read_model(model), Access(), stream=True)
    assert "response_format" in last


@pytest.mark.parametrize(
    ("model", "address", "name"),
    [
        ("openai/gpt-9", None, "max_completion_tokens"),
        ("openai/gpt-9", "https://api.openai.com/v1", "max_completion_tokens"),
        ("openai/local", "http://127.0.0.1:8000/v1", "max_tokens"),
        ("groq/x", None, "max_tokens"),
    ],
)
def test_the_limit_of_an_answer_is_called_as_the_server_knows_it(
    model: str, address: str | None, name: str
) -> None:
    told = litellm_parameters(question(), read_model(model), Access(address=address), stream=False)
    assert told[name] == question().max_tokens
    assert len({"max_tokens", "max_completion_tokens"} & told.keys()) == 1


def _chunk(*calls: tuple[int, str | None, str | None, str], stop: str | None = None) -> Any:
    told = [
        SimpleNamespace(index=index, id=id, function=SimpleNamespace(name=name, arguments=raw))
        for index, id, name, raw in calls
    ]
    delta = SimpleNamespace(content=None, tool_calls=told)
    return SimpleNamespace(choices=[SimpleNamespace(finish_reason=stop, delta=delta)], usage=None)


def test_calls_come_apart_in_a_stream_whoever_numbers_them() -> None:
    numbered = [
        _chunk((0, "c1", "read", ""), (1, "c2", "read", "")),
        _chunk((1, None, None, '{"path": "b"}'), (0, None, None, '{"path": "a"}')),
    ]
    all_zero = [_chunk((0, "c1", "read", '{"path": "a"}')), _chunk((0, "c2", "read", '{"path": "b"}'))]
    repeating = [
        _chunk((0, "c1", "read", '{"path"')),
        _chunk((0, "c1", "read", ': "a"}'), (1, "c2", "read", "{}")),
    ]
    for pieces, arguments in (
        (numbered, [{"path": "a"}, {"path": "b"}]),
        (all_zero, [{"path": "a"}, {"path": "b"}]),
        (repeating, [{"path": "a"}, {}]),
    ):
        answer = StreamedAnswer(read_model("ollama/x"), lambda _: None)
        for piece in (*pieces, _chunk(stop="tool_calls")):
            answer.take(piece)
        calls = answer.turn().message.calls
        assert [(call.id, call.arguments) for call in calls] == list(
            zip(["c1", "c2"], arguments, strict=True)
        )


@pytest.mark.parametrize(
    ("model", "cost", "usd"),
    [
        ("openrouter/z-ai/glm-5", 0.00123, 0.00123),
        ("openrouter/z-ai/glm-5", 0, 0.0),
        ("openrouter/z-ai/glm-5", "0.1", None),
        ("openrouter/z-ai/glm-5", -1.0, None),
        ("openrouter/z-ai/glm-5", float("nan"), None),
        ("openrouter/z-ai/glm-5", 1e9, None),
        ("openrouter/z-ai/glm-5", None, None),
        ("openai/gpt-5.5", 0.5, None),
    ],
)
def test_what_a_turn_cost_is_taken_from_who_is_paid(model: str, cost: Any, usd: float | None) -> None:
    answer = StreamedAnswer(read_model(model), lambda _: None)
    usage = SimpleNamespace(prompt_tokens=10, completion_tokens=5, cost=cost)
    answer.take(_chunk(stop="stop"))
    answer.take(SimpleNamespace(choices=[], usage=usage))
    assert answer.turn().usage == Usage(input=10, output=5, usd=usd)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ('{"data": [{"id": "qwen3"}]}', True),
        ('{"models": [{"name": "qwen3:latest"}]}', True),
        ('{"models": [{"name": "qwen3:8b"}, {"name": "llama3"}]}', False),
        ('{"data": []}', True),
        ("<html>", True),
        ("[1]", True),
        ('{"data": {"id": 1}}', True),
    ],
)
def test_which_list_names_a_model(text: str, there: bool) -> None:
    assert has_model(text, "qwen3") is there


def test_ollama_is_told_how_much_to_read() -> None:
    for model, told in (("ollama/qwen3", 32768), ("ollama_chat/qwen3", 32768), ("groq/qwen3", None)):
        sent = litellm_parameters(question(), read_model(model), Access(), stream=True, window=32768)
        assert sent.get("num_ctx") == told
    assert "num_ctx" not in litellm_parameters(question(), read_model("ollama/x"), Access(), stream=True)


def test_an_answer_of_nothing_is_not_sent() -> None:
    asked = replace(question(), messages=(User(text="a"), Assistant(), User(text="b")))
    told = litellm_parameters(asked, read_model("mistral/x"), Access(), stream=True)
    assert [one["role"] for one in told["messages"]] == ["system", "user", "user"]


def test_thinking_goes_back_unchanged_and_only_where_it_came_from() -> None:
    block: dict[str, JsonValue] = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    mine = Assistant(text="a", provider="anthropic", blocks=[block, {"type": "text", "text": "a"}])
    other = Assistant(text="a", provider="openai", blocks={"reasoning_content": "Hm"})
    ours = parameters(Question(model="m", system="", messages=(User(text="q"), mine, User(text="r"))), "m")
    assert ours["messages"][1]["content"][0] == block
    theirs = parameters(Question(model="m", system="", messages=(User(text="q"), other, User(text="r"))), "m")
    assert theirs["messages"][1]["content"] == [{"type": "text", "text": "a"}]


def test_blocks_of_another_provider_are_not_sent_even_in_the_same_form() -> None:
    other = Assistant(text="a", provider="openrouter", blocks=[{"type": "thinking", "thinking": "Hm"}])
    told = parameters(Question(model="m", system="", messages=(User(text="q"), other, User(text="r"))), "m")
    assert told["messages"][1]["content"] == [{"type": "text", "text": "a"}]


def test_a_calls_id_of_another_provider_is_made_one_that_anthropic_takes() -> None:
    ids = ("call/with+signs=", "x" * 65, "call_1")
    calls = tuple(ToolCall(id=one, name="read", arguments={}) for one in ids)
    answers = tuple(ToolAnswer(call=one, name="read", text="x") for one in ids)
    told = parameters(
        Question(model="m", system="", messages=(User(text="q"), Assistant(calls=calls), *answers)), "m"
    )
    asked = [block["id"] for block in told["messages"][1]["content"]]
    assert asked == [block["tool_use_id"] for block in told["messages"][2]["content"]]
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", one) for one in asked)
    assert len(set(asked)) == 3
    assert asked[2] == "call_1"


def test_a_stream_without_its_end_is_no_answer() -> None:
    with pytest.raises(Cut):
        Answer(lambda _: None).turn(read_model("claude-opus-5"))


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STEP, False),
        (
            {
                "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
                "additionalProperties": False,
            },
            True,
        ),
        ({"type": "array", "items": {"type": "object", "properties": {}}}, False),
    ],
)  # fmt: skip
def test_what_openai_can_be_strict_about(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict
