"""What stands at a provider's address and is none: a website, and one that leads elsewhere."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.agent.models.client import Question
from picoclaw.capabilities.agent.models.connect import connect_models
from picoclaw.capabilities.agent.models.conversation import User
from picoclaw.config.settings import LlmSettings
from picoclaw.errors import ModelRefused, ModelUnavailable

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


@contextmanager
def stranger(status: int, body: bytes = b"", **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that answers every question in the same way; its address, and the paths that were asked for."""
    asked: list[str] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in {
                "content-type": "text/html",
                **headers,
                "content-length": str(len(body)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


async def ask(address: str, run: Path) -> None:
    environ = {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": "sk-ant-secret-0123456789"}
    client = connect_models(LlmSettings(retries=0), environ=environ, run=run)
    model = "anthropic/claude-opus-5"
    try:
        await client.ask(
            Question(model=model, system="", messages=(User(text="hello"),), timeout=timedelta(seconds=20))
        )
    finally:
        await client.close()


async def test_a_website_is_named_as_what_it_is(tmp_path: Path) -> None:
    words = r"no stream of events but text/html.*check the address"
    with stranger(200, b"<html>Welcome</html>") as (address, _), pytest.raises(ModelUnavailable, match=words):
        await ask(address, tmp_path)


@pytest.mark.parametrize(
    "line", [b"data: " + b"x" * 5 * 2**20, b"data: x\n" * 2000], ids=["one line", "many lines"]
)
async def test_an_event_without_end_is_given_up(tmp_path: Path, line: bytes) -> None:
    events = {"content-type": "text/event-stream"}
    words = "one event of its stream does not end"
    with stranger(200, line, **events) as (address, _), pytest.raises(ModelUnavailable, match=words):
        await ask(address, tmp_path)


async def test_a_key_goes_along_to_no_other_host(tmp_path: Path) -> None:
    with (
        stranger(200) as (other, asked_there),
        stranger(307, location=f"{other}/v1/messages") as (address, asked),
        pytest.raises(ModelRefused, match="answers with a redirection"),
    ):
        await ask(address, tmp_path)
    assert asked
    assert asked_there == []
