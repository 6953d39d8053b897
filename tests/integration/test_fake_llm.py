"""The fake model server by the providers' own clients: both protocols, and all that goes wrong."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
import pytest

from picoclaw.tests.support.fake_llm import KEY, FakeLlm, fake_llm
from picoclaw.tests.support.waiting import wait_for, wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

LS = {
    "name": "bash",
    "description": "a shell",
    "input_schema": {
        "type": "object",
        "properties": {"command": {"type": "string"}},
        "required": ["command"],
    },
}
TALK: Mapping[str, Any] = {
    "rules": [
        {"when": {"tool": "bash"}, "answer": "it said ${result}"},
        {
            "when": {"user": "list (?P<what>\\w+)"},
            "answer": {
                "thinking": "A shell can do that.",
                "text": "I list ${what}, which takes a few words to say.",
                "tools": [
                    {"bash": {"command": "ls ${what} # and a comment that is long enough for two pieces"}}
                ],
                "usage": {"input": 1000, "output": 50, "cache_read": 700, "cache_write": 200},
            },
        },
        {"when": {"schema": True}, "answer": {"structured": {"step": "one"}}},
        {"answer": "You said ${user}"},
    ]
}


def claude(llm: FakeLlm, key: str = KEY) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=llm.url, max_retries=0, timeout=20)


def ask(llm: FakeLlm, text: str = "hi", **more: Any) -> anthropic.types.Message:
    told = {"model": "claude-x", "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}
    with claude(llm) as client:
        return client.messages.create(**told)  # type: ignore[no-any-return]


def stream(llm: FakeLlm, text: str = "hi", **more: Any) -> tuple[list[str], anthropic.types.Message]:
    told = {"model": "claude-x", "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}
    with claude(llm) as client, client.messages.stream(**told) as answer:
        return list(answer.text_stream), answer.get_final_message()


def post(llm: FakeLlm, body: Any, path: str = "/v1/chat/completions", **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01", **headers}
    return httpx2.post(f"{llm.url}{path}", content=content, headers=sent, timeout=20, trust_env=False)


def gpt(text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-x", "messages": [{"role": "user", "content": text}], **more}


def test_a_conversation_with_a_tool_whole_and_streamed() -> None:
    with fake_llm(TALK) as llm:
        whole = ask(llm, "list files", tools=[LS])
        pieces, streamed = stream(llm, "list files", tools=[LS])
        shapes = [[block.type for block in one.content] for one in (whole, streamed)]
        assert shapes == [["thinking", "text", "tool_use"]] * 2
        assert len(pieces) > 1
        assert "".join(pieces) == "I list files, which takes a few words to say."
        assert [one.content[2].input for one in (whole, streamed)] == [  # type: ignore[union-attr]
            {"command": "ls files # and a comment that is long enough for two pieces"}
        ] * 2
        for one in (whole, streamed):
            usage = one.usage
            figures = (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens)
            assert (*figures, usage.cache_creation_input_tokens) == (100, 50, 700, 200)
            assert one.stop_reason == "tool_use"
        result = {"type": "tool_result", "tool_use_id": streamed.content[2].id, "content": "a b"}  # type: ignore[union-attr]
        more = [{"role": "user", "content": "list files"}, {"role": "assistant", "content": streamed.content}]
        last = ask(llm, tools=[LS], messages=[*more, {"role": "user", "content": [result]}])
        assert (last.content[0].text, last.stop_reason) == ("it said a b", "end_turn")  # type: ignore[union-attr]
        assert [(call["turn"], call["state"], call["billed"]) for call in llm.calls()] == [
            (1, "answered", True), (1, "answered", True), (2, "answered", True),
        ]  # fmt: skip


def test_a_conversation_goes_on_with_a_server_that_is_a_new_one() -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "list files"}]
    ids = set()
    for _ in range(3):
        with fake_llm({"rules": [{"answer": {"tools": [{"bash": {"command": "ls"}}]}}]}) as llm:
            use = ask(llm, tools=[LS], messages=messages).content[0]
            ids.add(use.id)  # type: ignore[union-attr]
            result = {"type": "tool_result", "tool_use_id": use.id, "content": "a"}  # type: ignore[union-attr]
            messages += [
                {"role": "assistant", "content": [use.model_dump()]},
                {"role": "user", "content": [result]},
            ]
    assert len(ids) == 3


def test_a_giant_text_comes_in_pieces_that_the_server_survives() -> None:
    with fake_llm(TALK) as llm:
        began = time.monotonic()
        body = gpt("x " * 2_000_000, stream=True, max_tokens=10_000_000)
        answer = post(llm, body).text
        assert answer.endswith("data: [DONE]\n\n")
        assert answer.count("data: ") < 3_000
        assert time.monotonic() - began < 20


def test_a_thinking_block_comes_back_unchanged_or_not_at_all() -> None:
    with fake_llm(TALK) as llm:
        first = ask(llm, "list files", tools=[LS])
        blocks = [block.model_dump() for block in first.content]
        blocks[0]["thinking"] += " Or not."
        result = {"type": "tool_result", "tool_use_id": blocks[2]["id"], "content": "a"}
        told = [{"role": "user", "content": "list files"}, {"role": "assistant", "content": blocks}]
        with pytest.raises(anthropic.BadRequestError, match="Invalid `signature` in `thinking` block"):
            ask(llm, tools=[LS], messages=[*told, {"role": "user", "content": [result]}])


def test_openai_whole_and_streamed() -> None:
    tools = [{"type": "function", "function": {"name": "bash", "parameters": LS["input_schema"]}}]
    with fake_llm(TALK) as llm:
        whole = post(llm, gpt("list files", tools=tools)).json()
        choice = whole["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        assert whole["usage"]["prompt_tokens"] == 1000
        assert whole["usage"]["prompt_tokens_details"]["cached_tokens"] == 700
        body = gpt("list files", tools=tools, stream=True, stream_options={"include_usage": True})
        lines = [line[6:] for line in post(llm, body).text.splitlines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        events = [json.loads(line) for line in lines[:-1]]
        assert events[-1]["choices"] == []
        assert events[-1]["usage"]["completion_tokens"] == 50
        deltas = [event["choices"][0]["delta"] for event in events[:-1]]
        text = "".join(delta.get("content") or "" for delta in deltas)
        calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
        assert text == choice["message"]["content"]
        assert (
            "".join(call["function"]["arguments"] for call in calls)
            == (choice["message"]["tool_calls"][0]["function"]["arguments"])
        )
        answered = {
            "role": "tool",
            "tool_call_id": choice["message"]["tool_calls"][0]["id"],
            "content": "a b",
        }
        messages = [*gpt("list files")["messages"], choice["message"], answered]
        messages[1] = {key: messages[1][key] for key in ("role", "content", "tool_calls")}
        last = post(llm, gpt(messages=messages, tools=tools)).json()
        assert last["choices"][0]["message"]["content"] == "it said a b"
        bare = post(llm, gpt(stream=True)).text
        assert "usage" not in bare


def test_an_answer_meets_its_schema_in_both_protocols() -> None:
    task = {
        "type": "object",
        "properties": {"step": {"type": "string"}, "needs": {"enum": ["all", "some"]}},
        "required": ["step", "needs"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"tasks": {"type": "array", "items": task}, "why": {"type": ["string", "null"]}},
        "required": ["tasks", "why"],
        "additionalProperties": False,
    }
    made = {"tasks": [{"step": "one", "needs": "all"}], "why": "plan"}
    with fake_llm(TALK) as llm:
        config = {"format": {"type": "json_schema", "schema": schema}}
        assert json.loads(ask(llm, "plan", output_config=config).content[0].text) == made  # type: ignore[union-attr]
        form = {"type": "json_schema", "json_schema": {"name": "plan", "schema": schema, "strict": True}}
        answer = post(llm, gpt("plan", response_format=form)).json()
        assert json.loads(answer["choices"][0]["message"]["content"]) == made
        loose = {key: value for key, value in schema.items() if key != "additionalProperties"}
        with pytest.raises(
            anthropic.BadRequestError, match="'additionalProperties' must be explicitly set to false"
        ):
            ask(llm, output_config={"format": {"type": "json_schema", "schema": loose}})
        form["json_schema"] = {"name": "plan", "schema": {**schema, "required": ["tasks"]}, "strict": True}
        assert "Missing 'why'" in post(llm, gpt(response_format=form)).json()["error"]["message"]


USE = {"type": "tool_use", "id": "t1", "name": "bash", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}


@pytest.mark.parametrize(
    ("messages", "more", "said"),
    [
        ([], {}, "messages: at least one message is required"),
        ([("assistant", "x")], {}, 'first message must use the "user" role'),
        ([("user", "x"), ("assistant", "y")], {}, "must end with a user message"),
        ([("user", "")], {}, "text content blocks must be non-empty"),
        ([("user", [])], {}, "all messages must have non-empty content"),
        ([("system", "x")], {}, 'Unexpected role "system"'),
        ([("user", "x"), ("assistant", [USE]), ("user", "y")], {}, "`tool_use` ids were found without `tool_result`"),
        (
            [("user", "x"), ("assistant", [USE]), ("user", [{"type": "text", "text": "y"}, RESULT])],
            {},
            "`tool_use` ids were found without `tool_result`",
        ),
        ([("user", [RESULT])], {}, "unexpected `tool_use_id` found in `tool_result` blocks: t1"),
        ([("user", "x"), ("assistant", [USE]), ("user", [RESULT, RESULT])], {}, "must have a single result"),
        ([("user", "x")], {"temprature": 1}, "temprature: Extra inputs are not permitted"),
        ([("user", "x")], {"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ([("user", "x")], {"max_tokens": "1"}, "max_tokens: Input should be a valid integer"),
        ([("user", "x")], {"tools": [LS, LS]}, "Tool names must be unique"),
        ([("user", "x")], {"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "match pattern"),
        ([("user", "x")], {"tool_choice": {"type": "tool", "name": "z"}}, "Tool 'z' not found"),
        ([("user", "x")], {"output_config": {"form": 1}}, "output_config.form: Extra inputs"),
    ],
)  # fmt: skip
def test_a_question_that_anthropic_refuses(
    messages: list[tuple[str, Any]], more: dict[str, Any], said: str
) -> None:
    told = [{"role": role, "content": content} for role, content in messages]
    with fake_llm(TALK) as llm:
        answer = post(llm, {"model": "m", "max_tokens": 9, "messages": told, **more}, "/v1/messages")
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
        assert said in answer.json()["error"]["message"]
        assert llm.billed() == 0


CALL = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
ANSWER = {"role": "tool", "tool_call_id": "c1", "content": "x"}


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        (gpt(messages=[]), "messages", "empty array"),
        (gpt(temprature=1), "temprature", "Unrecognized request argument supplied: temprature"),
        ({"messages": gpt()["messages"]}, None, "you must provide a model parameter"),
        (gpt(messages=[{"role": "robot", "content": "x"}]), "messages[0].role", "Invalid value: 'robot'"),
        (gpt(messages=[ANSWER]), "messages.[0].role", "must be a response to a preceeding message"),
        (
            gpt(
                messages=[*gpt()["messages"], {"role": "assistant", "tool_calls": [CALL]}, *gpt()["messages"]]
            ),
            "messages.[2].role",
            "did not have response messages: c1",
        ),
        (gpt(stream_options={}), "stream_options", "only allowed when 'stream' is enabled"),
        (gpt(tools=[]), "tools", "empty array"),
        (gpt(max_tokens="1"), "max_tokens", "expected an integer"),
        (gpt(response_format={"type": "json_object"}), "messages", "must contain the word 'json'"),
        (gpt(tool_choice="required"), "tool_choice", "only allowed when 'tools' are specified"),
        ([1], None, "must be an object"),
    ],
)
def test_a_question_that_openai_refuses(body: Any, param: str | None, said: str) -> None:
    with fake_llm(TALK) as llm:
        answer = post(llm, body)
        error = answer.json()["error"]
        assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
        assert said in error["message"]


def test_keys_models_and_lengths() -> None:
    script = {**TALK, "keys": [KEY], "models": ["claude-*"], "context": 100}
    with fake_llm(script) as llm:
        ask(llm)
        with (
            pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"),
            claude(llm, "sk-wrong") as other,
        ):
            other.messages.create(model="claude-x", max_tokens=1, messages=[{"role": "user", "content": "x"}])
        with pytest.raises(anthropic.NotFoundError, match="model: claw-1"):
            ask(llm, model="claw-1")
        with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: .* tokens > 100 maximum"):
            ask(llm, "x" * 1000)
        wrong = post(llm, gpt(), authorization="Bearer sk-wrong")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
        none = post(llm, gpt(), authorization="")
        assert "You didn't provide an API key" in none.json()["error"]["message"]
        assert post(llm, gpt()).json()["error"]["code"] == "model_not_found"
        long = post(llm, gpt("x" * 1000, model="claude-x"))
        assert long.json()["error"]["code"] == "context_length_exceeded"
        with claude(llm) as client:
            assert [model.id for model in client.models.list()] == ["claude-*"]
            assert client.models.retrieve("claude-y").id == "claude-y"
            counted = client.messages.count_tokens(
                model="claude-x", messages=[{"role": "user", "content": "hello"}]
            )
            assert counted.input_tokens > 1
        said = json.dumps(llm.calls())
        assert KEY not in said
        assert "sk-wrong" not in said
        keys = {call["key"] for call in llm.calls()}
        assert len(keys) == 3
        assert "" in keys


@pytest.mark.parametrize(
    ("kind", "anthropic_says", "openai_says"),
    [
        ("rate_limited", (429, "rate_limit_error"), (429, "requests")),
        ("server_error", (500, "api_error"), (500, "server_error")),
        ("overloaded", (529, "overloaded_error"), (503, "server_error")),
        ("timeout", (504, "timeout_error"), (504, "server_error")),
        ("too_long", (400, "invalid_request_error"), (400, "invalid_request_error")),
        ("no_credit", (400, "invalid_request_error"), (429, "insufficient_quota")),
        ("permission", (403, "permission_error"), (403, "invalid_request_error")),
    ],
)
def test_errors_in_each_protocols_words(
    kind: str, anthropic_says: tuple[int, str], openai_says: tuple[int, str]
) -> None:
    error = {"kind": kind, "retry_after": "1500ms"}
    with fake_llm({"rules": [{"times": 2, "answer": {"error": error}}, {"answer": "well"}]}) as llm:
        with pytest.raises(anthropic.APIStatusError) as caught:
            ask(llm)
        assert (caught.value.status_code, caught.value.type) == anthropic_says
        assert caught.value.response.headers["retry-after"] == "1.5"
        refused = post(llm, gpt())
        assert (refused.status_code, refused.json()["error"]["type"]) == openai_says
        assert ask(llm).content[0].text == "well"  # type: ignore[union-attr]
        assert (llm.billed(), [call["state"] for call in llm.calls()]) == (1, ["error", "error", "answered"])


def test_a_stream_that_is_cut_or_ends_in_an_error() -> None:
    long = "word " * 40
    rules = [
        {"when": {"user": "cut"}, "answer": {"text": long, "cut": 6}},
        {"when": {"user": "error"}, "answer": {"text": long, "error": {"kind": "overloaded", "after": 6}}},
        {"when": {"user": "garbage"}, "answer": {"text": long, "malformed": "stream"}},
        {"when": {"user": "half"}, "answer": {"text": long, "malformed": "body"}},
    ]
    with fake_llm({"rules": rules}) as llm:
        with pytest.raises((httpx2.HTTPError, anthropic.APIConnectionError)):
            stream(llm, "cut")
        with pytest.raises((httpx2.HTTPError, anthropic.APIConnectionError)):
            ask(llm, "cut")
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            stream(llm, "error")
        with pytest.raises(ValueError, match="Expecting"):
            stream(llm, "garbage")
        with pytest.raises((ValueError, anthropic.APIError)):
            ask(llm, "half")
        states = wait_for(
            lambda: (found := [one["state"] for one in llm.calls()]) and "asked" not in found and found
        )
        assert states == ["cut", "cut", "answered", "answered", "answered"]
        assert llm.billed() == 5
        cut = [line for line in broken_off(llm) if line.startswith("data: ")]
        assert 0 < len(cut) <= 6


def broken_off(llm: FakeLlm) -> list[str]:
    """The lines of an OpenAI stream that breaks off."""
    lines: list[str] = []

    def read() -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        url = f"{llm.openai_url}/chat/completions"
        with httpx2.stream(
            "POST", url, json=gpt("cut", stream=True), headers=headers, trust_env=False
        ) as answer:
            lines.extend(answer.iter_lines())

    with pytest.raises(httpx2.RemoteProtocolError):
        read()
    return lines


def test_refusals_and_lengths_end_an_answer() -> None:
    rules = [
        {"when": {"user": "bomb"}, "answer": {"text": "No.", "stop": "refused"}},
        {"answer": "word " * 100},
    ]
    with fake_llm({"rules": rules}) as llm:
        assert ask(llm, "a bomb").stop_reason == "refusal"
        assert stream(llm, "a bomb")[1].stop_reason == "refusal"
        refused = post(llm, gpt("a bomb")).json()["choices"][0]
        assert (refused["finish_reason"], refused["message"]["refusal"]) == ("content_filter", "No.")
        assert ask(llm, max_tokens=3).stop_reason == "max_tokens"
        assert post(llm, gpt(max_completion_tokens=3)).json()["choices"][0]["finish_reason"] == "length"


def test_a_question_that_no_rule_meets_says_so() -> None:
    rule = {"when": {"user": "^x$"}, "answer": "x"}
    said = "no rule of the script of this test matches"
    with fake_llm({"rules": [rule]}) as llm, pytest.raises(anthropic.BadRequestError, match=said):
        ask(llm, "y")


async def test_a_client_that_goes_away_is_seen() -> None:
    with fake_llm({"rules": [{"answer": {"text": "x", "slow": "1h"}}]}) as llm:
        async with httpx2.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx2.ReadTimeout):
                await client.post(
                    f"{llm.openai_url}/chat/completions",
                    json=gpt(),
                    headers={"authorization": "Bearer k"},
                    timeout=0.5,
                )
        await wait_for_async(lambda: llm.calls()[0]["state"] == "left")
        assert llm.billed() == 1


def test_garbage_is_refused_and_the_server_goes_on() -> None:
    with fake_llm(TALK) as llm:
        for body in (
            b"",
            b"{",
            b"[" * 100_000,
            b"\xff\xfe",
            b'{"model": NaN}',
            b"null",
            b'"x"',
            b'{"a": 1e999}',
        ):
            for path in ("/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"):
                assert post(llm, body, path).status_code == 400, (body[:10], path)
        assert post(llm, b" " * (33 * 2**20)).status_code == 413
        assert post(llm, gpt(), "/v1/nothing").status_code == 404
        assert httpx2.get(f"{llm.url}/v1/messages", trust_env=False).status_code == 405
        weird = [
            {"model": 1}, {"model": "m", "max_tokens": 1, "messages": [None]},
            {"model": "m", "max_tokens": 1, "messages": [{"role": [], "content": {}}]},
            {"model": "m", "max_tokens": True, "messages": [{"role": "user", "content": [{"type": []}]}]},
            {"model": "m", "max_tokens": 1, "tools": [1], "messages": [{"role": "user", "content": "x"}]},
            {"model": "m", "max_tokens": 1, "tools": {"a": 1}, "system": 3, "messages": {}},
            gpt(messages=[{"role": {}, "content": 1}]), gpt(tool_choice={"function": 1}, tools=[{"type": "function"}]),
            gpt(response_format={"type": {}}), gpt(messages=[{"role": "assistant", "tool_calls": 3}]),
            gpt(messages=[{"role": "user", "content": [None]}]), gpt(stream=[]), gpt(n=2),
            gpt(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"properties": 3}}}),
        ]  # fmt: skip
        for one in weird:
            for path in ("/v1/messages", "/v1/chat/completions"):
                assert post(llm, one, path).status_code in (200, 400), (one, path)
        assert ask(llm).content[0].text == "You said hi"  # type: ignore[union-attr]


async def test_two_hundred_at_once() -> None:
    with fake_llm({"rules": [{"answer": {"text": "a few words", "slow": "200ms"}}]}) as llm:
        limits = httpx2.Limits(max_connections=200)
        headers = {"authorization": "Bearer k"}
        async with httpx2.AsyncClient(limits=limits, timeout=30, headers=headers, trust_env=False) as client:
            url = f"{llm.openai_url}/chat/completions"
            sent = [client.post(url, json=gpt(str(number), stream=True)) for number in range(200)]
            began = time.monotonic()
            answers = await asyncio.gather(*sent)
        assert {answer.status_code for answer in answers} == {200}
        assert all(answer.text.endswith("data: [DONE]\n\n") for answer in answers)
        assert time.monotonic() - began < 20
        assert llm.billed() == 200
        assert len({call["digest"] for call in llm.calls()}) == 200


def test_it_ends_while_clients_hang() -> None:
    began = time.monotonic()
    with fake_llm({"rules": [{"answer": {"text": "x", "slow": "1h"}}]}) as llm:
        idle = socket.create_connection(("127.0.0.1", llm.port))
        asking = socket.create_connection(("127.0.0.1", llm.port))
        body = json.dumps(gpt()).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}\r\n\r\n"
        asking.sendall(head.encode() + body)
        slow = socket.create_connection(("127.0.0.1", llm.port))
        slow.sendall(head.encode() + body[:5])
        wait_for(lambda: llm.billed() == 1)
    assert time.monotonic() - began < 10
    for one in (idle, asking, slow):
        one.close()
