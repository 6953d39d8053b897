"""Cassettes: the same question gets its answer again, another one is told what differs."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.agent.models.cassette import CassetteClient, RecordingClient, read_cassette
from picoclaw.capabilities.agent.models.client import OnText, Question
from picoclaw.capabilities.agent.models.conversation import (
    Assistant,
    ToolAnswer,
    ToolCall,
    ToolSpec,
    Turn,
    Usage,
    User,
)
from picoclaw.capabilities.agent.models.same_question import digest, plain
from picoclaw.errors import ModelRefused

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

BASH = ToolSpec(name="bash", description="a shell", schema={"type": "object"})
CALL = ToolCall(id="toolu_1", name="bash", arguments={"command": "ls"})
FIRST = Question(
    model="anthropic/claude-x", system="You are one.", messages=(User(text="list files"),), tools=(BASH,)
)
SECOND = replace(
    FIRST,
    messages=(
        *FIRST.messages,
        Assistant(calls=(CALL,)),
        ToolAnswer(call="toolu_1", name="bash", text="a.py b.py"),
    ),
)
USE = Turn(message=Assistant(text="I look.", calls=(CALL,), provider="anthropic", blocks=[{"type": "thinking"}]),
           stop="tools", model="anthropic/claude-x", usage=Usage(input=10, output=5, usd=0.25), maybe_billed=1)  # fmt: skip
SAID = Turn(message=Assistant(text="Two files."), stop="end", model="anthropic/claude-x")


class Answering:
    """A model of which each question gets the next answer."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)
        self.closed = False

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        return self.turns.pop(0)

    async def close(self) -> None:
        self.closed = True


async def recorded(path: Path, **more: Any) -> Path:
    client = RecordingClient(Answering(USE, SAID), path, **more)
    assert await client.ask(FIRST) == USE
    assert await client.ask(SECOND) == SAID
    return path


async def test_what_was_recorded_is_answered_again_for_nothing(tmp_path: Path) -> None:
    path = await recorded(tmp_path / "talk.jsonl")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    name = f"cassette/{path}"
    client, heard = CassetteClient(), list[str]()
    turn = await client.ask(replace(FIRST, model=name, max_tokens=FIRST.max_tokens), heard.append)
    assert turn == replace(USE, model=name, usage=replace(USE.usage, usd=0.0), maybe_billed=0)
    assert heard == ["I look."]
    assert (await client.ask(replace(SECOND, model=name))).message == SAID.message
    # In any order, and as often as one likes: a turn that is repeated after a crash is the same one.
    assert (await client.ask(replace(FIRST, model=name))).message == USE.message
    await client.close()


async def test_a_question_that_differs_is_told_where(tmp_path: Path) -> None:
    path = await recorded(tmp_path / "talk.jsonl")
    client = CassetteClient(path)
    other = replace(
        SECOND, messages=(*SECOND.messages[:2], ToolAnswer(call="x", name="bash", text="a.py c.py"))
    )
    for question, said in (
        (other, "message 3, tool's text: 'a.py c.py', recorded was 'a.py b.py'"),
        (replace(FIRST, system="You are two."), "system: 'You are two.', recorded was 'You are one.'"),
        (replace(FIRST, tools=()), "tools: '[]', recorded was"),
        (replace(FIRST, may_use_tools=False), "tools: '[]', recorded was"),
        (replace(FIRST, max_tokens=5), "max_tokens: '5', recorded was '8192'"),
        (replace(FIRST, schema={"type": "object"}), "schema: "),
        (
            replace(SECOND, messages=(*SECOND.messages, User(text="and now?"))),
            "it has 4 messages, recorded were 3",
        ),
    ):
        with pytest.raises(ModelRefused) as caught:
            await client.ask(question)
        assert said in str(caught.value)
        assert str(path) in str(caught.value)
    with pytest.raises(ModelRefused, match=r"\(turn 2\); the nearest of its 2 differs"):
        await client.ask(other)


def test_what_one_protocol_changes_on_the_way_makes_no_difference() -> None:
    def same(one: Question, other: Question) -> bool:
        return digest(plain(one)) == digest(plain(other))

    said = ToolAnswer(call="toolu_1", name="bash", text="no such file", error=True)
    assert same(replace(SECOND, messages=(*SECOND.messages[:2], said)),
                replace(SECOND, messages=(*SECOND.messages[:2], ToolAnswer(call="call_9", name="bash", text="Error: no such file"))))  # fmt: skip
    raw = Assistant(calls=(ToolCall(id="other", name="bash", raw='{"command":  "ls"}'),))
    assert same(SECOND, replace(SECOND, messages=(SECOND.messages[0], raw, SECOND.messages[2])))
    two = (User(text="a"), User(text=" "), User(text="b"))
    assert same(replace(FIRST, messages=two), replace(FIRST, messages=(User(text="a\nb"),)))
    ids = (User(text="for r-abcdefghijklmnop.task"), User(text="for r-qrstuvwxyz234567.task"))
    assert same(replace(FIRST, messages=ids[:1]), replace(FIRST, messages=ids[1:]))
    assert same(FIRST, replace(FIRST, model="openai/gpt", fallbacks=("x/y",)))
    assert not same(FIRST, replace(FIRST, messages=(User(text="list files "),)))


async def test_no_secret_is_recorded_and_the_last_answer_counts(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    secret = "sk-very-secret-key"
    leaked = replace(SAID, message=Assistant(text=f"The key is {secret}."))
    client = RecordingClient(Answering(leaked, SAID), path, secrets=[secret, "", "short"])
    await client.ask(FIRST)
    assert secret not in path.read_text()
    assert (await CassetteClient(path).ask(FIRST)).message.text == "The key is ***."
    await client.ask(FIRST)
    assert len(path.read_text().splitlines()) == 2
    assert (await CassetteClient(path).ask(FIRST)).message.text == "Two files."
    await client.close()


async def test_a_damaged_cassette_is_told_with_its_line(tmp_path: Path) -> None:
    path = await recorded(tmp_path / "talk.jsonl")
    whole = path.read_bytes()
    first = whole.splitlines(keepends=True)[0]
    newer = json.dumps({**json.loads(first), "v": 2}).encode() + b"\n"
    for data, said in (
        (whole + b"{}\n", ":3: this line is no exchange"),
        (whole + b'{"v": 1, "question": {"messages": [1], "tools": []}, "turn": {}, "model": ""}\n', ":3: this line"),
        (whole + b"\xff\xfe\n", ":3: this line is no exchange"),
        (whole + b"[" * 100_000 + b"\n", ":3: this line is no exchange"),
        (newer, ":1: it is of version 2, this picoclaw reads 1"),
        (whole[:-1], "its last line has no end"),
    ):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(ModelRefused) as caught:
            read_cassette(path)
        assert said in str(caught.value)
        with pytest.raises(ModelRefused):
            RecordingClient(Answering(), path)
    with pytest.raises(
        ModelRefused, match=r"none is not there: record it with `picoclaw fake-llm serve --record"
    ):
        await CassetteClient(tmp_path / "none").ask(FIRST)
    with pytest.raises(ModelRefused, match="cannot be read"):
        read_cassette(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ModelRefused, match="it is empty"):
        await CassetteClient(path).ask(FIRST)


async def test_an_answer_that_cannot_be_recorded_is_an_error(tmp_path: Path) -> None:
    client = RecordingClient(Answering(SAID), tmp_path / "no" / "talk.jsonl")
    with pytest.raises(ModelRefused, match="cannot be written"):
        await client.ask(FIRST)
