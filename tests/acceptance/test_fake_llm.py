"""`picoclaw fake-llm` as a user types it."""

import json
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(60)]


def ask(variables: dict[str, str], text: str) -> str:
    """Ask the model that these variables lead to."""
    body = {
        "model": variables["PICOCLAW_LLM_MODEL"].partition("/")[2],
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
    }
    headers = {"x-api-key": variables["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}
    request = urllib.request.Request(
        f"{variables['ANTHROPIC_BASE_URL']}/v1/messages", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["content"][0]["text"])


def exported(server: Spawned) -> dict[str, str]:
    server.expect("^export OPENAI_API_KEY=")
    lines = [line.removeprefix("export ") for line in server.stdout.splitlines()]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_what_it_prints_leads_to_it_and_ctrl_c_ends_it(spawn_picoclaw: SpawnPicoclaw) -> None:
    server = spawn_picoclaw("fake-llm", "serve")
    variables = exported(server)
    assert "You said:\n\nHello" in ask(variables, "Hello")
    # One client that hangs does not hold it up.
    port = int(variables["ANTHROPIC_BASE_URL"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        server.interrupt()
        assert server.finish() == 0
    server.expect("1 question, 1 of them answered")
    assert "Traceback" not in server.output


def test_a_script_a_port_file_and_json(spawn_picoclaw: SpawnPicoclaw, tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text("rules:\n  - when: {user: 'I am (\\w+)'}\n    answer: Hello ${1}\n")
    port_file = tmp_path / "port"
    server = spawn_picoclaw(
        "fake-llm", "serve", "--script", "talk.yaml", "--port-file", str(port_file), "--json", cwd=tmp_path
    )
    port = int(wait_for(lambda: port_file.read_text() if port_file.exists() else "", 20))
    server.expect("environment")
    told = json.loads(server.stdout)
    assert (told["port"], told["script"]) == (port, "talk.yaml")
    assert ask(told["environment"], "I am Ada") == "Hello Ada"
    server.signal(signal.SIGTERM)
    assert server.finish() == 0
    assert not [path for path in tmp_path.iterdir() if "port" in path.name]


def test_a_wrong_script_port_or_place_is_told(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("rules:\n  - anwser: hi\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for args, said in (
            (("serve", "--script", "wrong.yaml"), "wrong.yaml:2: unknown key 'anwser' in a rule; did you mean 'answer'?"),
            (("check", "wrong.yaml"), "wrong.yaml:2: unknown key 'anwser'"),
            (("check", "none.yaml"), "none.yaml is not there"),
            (("serve", "--port", port), f"port {port} of 127.0.0.1 cannot be used"),
            (("serve", "--port", "70000"), "70000 is not in the range"),
            (("serve", "--port-file", "no/folder/port"), "cannot be written"),
        ):  # fmt: skip
            ended = run_picoclaw("fake-llm", *args, cwd=tmp_path)
            assert (ended.returncode, ended.stdout) == (2, ""), args
            assert said in ended.stderr
            assert len(ended.stderr.splitlines()) == 1


def test_a_right_script_is_told_too(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text("rules:\n  - name: hello\n    answer: hi\n")
    ended = run_picoclaw("fake-llm", "check", "talk.yaml", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "talk.yaml is right: 1 rule (hello)\n")
    told = json.loads(run_picoclaw("fake-llm", "check", "talk.yaml", "--json", cwd=tmp_path).stdout)
    assert told["rules"] == [{"name": "hello", "line": 2, "answers": 1, "times": None}]
