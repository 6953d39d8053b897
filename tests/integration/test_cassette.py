"""Cassettes with real adapters: recorded through one protocol, played again through each way there is."""

import os
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from picoclaw.capabilities.agent.models.cassette import RecordingClient, read_cassette
from picoclaw.capabilities.agent.models.client import Question
from picoclaw.capabilities.agent.models.connect import check_key, connect_models
from picoclaw.capabilities.agent.models.conversation import ToolAnswer, ToolSpec, User
from picoclaw.config.settings import LlmSettings
from picoclaw.errors import ModelRefused
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.fake_llm import KEY, fake_llm
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

TALK = {
    "rules": [
        {"when": {"tool": "bash"}, "answer": "${result}, no more"},
        {"answer": {"thinking": "Hm.", "text": "I look.", "tools": [{"bash": {"command": "ls"}}]}},
    ]
}
BASH = ToolSpec(
    name="bash",
    description="a shell",
    schema={"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
)
FIRST = Question(
    model="anthropic/claude-x", system="You are one.", messages=(User(text="list files"),), tools=(BASH,)
)


async def test_recorded_with_a_model_and_played_by_another_name(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    with fake_llm(TALK) as llm:
        environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": llm.url}
        models = connect_models(LlmSettings(), environ=environ, run=tmp_path)
        client = RecordingClient(models, path, secrets=[KEY])
        turn = await client.ask(FIRST)
        answer = ToolAnswer(call=turn.message.calls[0].id, name="bash", text="a.py")
        second = replace(FIRST, messages=(*FIRST.messages, turn.message, answer))
        assert (await client.ask(second)).message.text == "a.py, no more"
        await client.close()
        assert llm.billed() == 2
    assert len(read_cassette(path)) == 2
    assert KEY not in path.read_text()

    name = f"cassette/{path}"
    played = connect_models(LlmSettings(model=name), environ={}, run=tmp_path)
    again = await played.ask(replace(FIRST, model=name))
    assert again.message == turn.message
    assert again.usage.usd == 0.0
    assert (await played.ask(replace(second, model=name))).message.text == "a.py, no more"
    with pytest.raises(ModelRefused, match="differs in message 1, user's text: 'list folders'"):
        await played.ask(replace(FIRST, model=name, messages=(User(text="list folders"),)))
    await played.close()
    await check_key(name, LlmSettings(), environ={})
    with pytest.raises(ModelRefused, match="is not there"):
        await check_key("cassette/none.jsonl", LlmSettings(), environ={})


def chat(port: int, text: str, *, result: str = "") -> httpx2.Response:
    """Ask in OpenAI's protocol, with what `bash` said if that is known."""
    messages: list[dict[str, object]] = [
        {"role": "system", "content": "You are one."},
        {"role": "user", "content": text},
    ]
    if result:
        call = {"id": "c", "type": "function", "function": {"name": "bash", "arguments": '{"command":"ls"}'}}
        messages.append({"role": "assistant", "content": "I look.", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": "c", "content": result})
    function = {"name": "bash", "description": "a shell", "parameters": BASH.schema}
    body = {
        "model": "whatever",
        "messages": messages,
        "max_tokens": 8192,
        "tools": [{"type": "function", "function": function}],
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return httpx2.post(url, json=body, headers={"authorization": "Bearer k"}, timeout=20, trust_env=False)


def test_the_server_records_one_protocol_from_the_other(
    spawn_picoclaw: SpawnPicoclaw, tmp_path: Path
) -> None:
    path, port_file = tmp_path / "talk.jsonl", tmp_path / "port"

    def serve(*args: str, **environ: str) -> int:
        port_file.unlink(missing_ok=True)
        spawned.append(
            spawn_picoclaw(
                "fake-llm", "serve", "--port-file", str(port_file), *args, env={**os.environ, **environ}
            )
        )
        return int(wait_for(lambda: port_file.read_text() if port_file.exists() else "", 20))

    spawned: list[Spawned] = []
    with fake_llm({**TALK, "keys": [KEY]}) as llm:
        recording = ("--cassette", str(path), "--record", "anthropic/claude-x")
        port = serve(*recording, ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=llm.url)
        calls = chat(port, "list files").json()["choices"][0]["message"]["tool_calls"]
        assert calls[0]["function"] == {"name": "bash", "arguments": '{"command": "ls"}'}
        last = chat(port, "list files", result="a.py").json()
        assert last["choices"][0]["message"]["content"] == "a.py, no more"
        spawned[0].interrupt()
        assert spawned[0].finish() == 0
        assert llm.billed() == 2
        assert KEY not in path.read_text()

        port = serve("--cassette", str(path))
        assert (
            chat(port, "list files", result="a.py").json()["choices"][0]["message"]["content"]
            == "a.py, no more"
        )
        missed = chat(port, "list folders")
        assert missed.status_code == 400
        assert "has no answer to this question" in missed.json()["error"]["message"]
        assert llm.billed() == 2
        spawned[1].interrupt()
        assert spawned[1].finish() == 0

        wrong = spawn_picoclaw("fake-llm", "serve", "--record", "anthropic/claude-x", "--cassette", "x.jsonl")
        assert wrong.finish() == 2
        wrong.expect("needs a key: set ANTHROPIC_API_KEY")
