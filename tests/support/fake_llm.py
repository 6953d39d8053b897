"""A fake model server of a test's own, on a thread: `with fake_llm({...}) as llm: ... llm.calls()`."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from picoclaw.capabilities.agent.fake_llm.app import Playing
from picoclaw.capabilities.agent.fake_llm.script_file import read_script
from picoclaw.capabilities.agent.fake_llm.server import serving

KEY = "sk-fake-test"
"""Any key is let in where a script names none."""


@dataclass(frozen=True)
class FakeLlm:
    """A server that runs."""

    port: int
    _playing: Playing

    @property
    def url(self) -> str:
        """For the Anthropic protocol (`ANTHROPIC_BASE_URL`)."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """For the OpenAI protocol (`OPENAI_BASE_URL`)."""
        return f"{self.url}/v1"

    def play(self, script: Mapping[str, Any] | str) -> None:
        """Play another script from now on; the calls stay."""
        self._playing.script = _read(script)

    def calls(self) -> list[dict[str, Any]]:
        """Every question so far, by HTTP: number, model, digest, key (its fingerprint), rule, state, billed."""
        return list(self._ledger()["calls"])

    def billed(self) -> int:
        """How many turns a provider would have charged for."""
        return int(self._ledger()["billed"])

    def _ledger(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_calls", timeout=10) as answer:
            return dict(json.load(answer))


@contextmanager
def fake_llm(script: Mapping[str, Any] | str) -> Iterator[FakeLlm]:
    """Play a script, as data or YAML, while the block runs."""
    playing = Playing(script=_read(script), named="the script of this test")
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    port = 0

    async def run() -> None:
        nonlocal port
        async with serving(playing) as port:
            ready.set()
            await stop.wait()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=work, name="fake-llm", daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the fake model server did not start"
        yield FakeLlm(port, playing)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive(), "the fake model server did not end"


def _read(script: Mapping[str, Any] | str) -> Any:
    text = script if isinstance(script, str) else yaml.safe_dump(dict(script), sort_keys=False)
    return read_script(text, "script")
