"""Children: the bench's own processes, told on stdin what they are; they end when it closes."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
READY = b"ready\n"
_START = 30.0
_END = 10.0


class Child:
    """One process of the bench; it has a group of its own, so Ctrl-C reaches only its parent."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Wait until it serves; raises RuntimeError with its last words when it does not."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_START):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if line != READY:
            raise RuntimeError(f"a process of the bench did not start: {self.last_words()}")

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:] or "it said nothing"

    async def stop(self) -> None:
        """Close its stdin and wait for its end; kill it when that takes too long."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_END):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class Children:
    """Every child of one run; all of them end with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Child] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End them all now."""
        await asyncio.gather(*(child.stop() for child in self._all))

    async def start(self, what: str, **told: Any) -> Child:
        """Start a process that is `what` (see `child.ROLES`); it need not be ready yet."""
        log = self._folder / f"{len(self._all)}-{what}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bench.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                cwd=ROOT,
            )
        child = Child(process, log)
        self._all.append(child)
        assert process.stdin is not None
        process.stdin.write(_line({"what": what, **told}))
        await process.stdin.drain()
        return child


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode() + b"\n"
