"""The real `picoclaw` command in real processes, each with a home of its own."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

PICOCLAW = Path(sys.executable).with_name("picoclaw")


def command_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment (cleaned by conftest) with that home, and `extra` on top."""
    return {**os.environ, "HOME": str(home), **(extra or {})}


def run(
    home: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    cwd: Path | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run it to its end with all output; killed, with TimeoutExpired, after `timeout` seconds."""
    return subprocess.run(
        [str(PICOCLAW), *args],
        env=command_environment(home, env),
        cwd=cwd or home,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class RunPicoclaw(Protocol):
    """What the fixture `run_picoclaw` is: `run` in the test's home."""

    def __call__(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        cwd: Path | None = None,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]: ...


class SpawnPicoclaw(Protocol):
    """What the fixture `spawn_picoclaw` is: it starts `picoclaw ARGS` and leaves it running."""

    def __call__(
        self, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> "Spawned": ...


class Spawned:
    """A `picoclaw` process that runs on; its output can be awaited line by line.

    Lines of stdout and stderr stand together in `lines`, in the order in which they were read.
    """

    def __init__(self, home: Path, args: Sequence[str], env: Mapping[str, str] | None, cwd: Path) -> None:
        self.args = list(args)
        self.lines: list[str] = []
        self._stdout: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [str(PICOCLAW), *args],
            env=command_environment(home, env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, own), daemon=True)
            for pipe, own in ((self._process.stdout, self._stdout), (self._process.stderr, []))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    @property
    def running(self) -> bool:
        return self.returncode is None

    @property
    def stdout(self) -> str:
        with self._changed:
            return "".join(f"{line}\n" for line in self._stdout)

    @property
    def output(self) -> str:
        """Everything it has said so far, on either stream."""
        with self._changed:
            return "".join(f"{line}\n" for line in self.lines)

    def expect(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """The first line so far or to come that matches; AssertionError with all output otherwise."""
        seen = 0
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in self.lines[seen:]:
                    if match := re.search(pattern, line):
                        return match
                seen = len(self.lines)
                ended = not any(reader.is_alive() for reader in self._readers)
                left = deadline - time.monotonic()
                if ended or left <= 0:
                    why = f"it ended with {self.wait()}" if ended else f"{timeout:g} s have passed"
                    break
                self._changed.wait(left)
        raise AssertionError(f"no line matches {pattern!r}: {why}: {self}\n{self.output}")

    async def expect_async(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """As `expect`, while the event loop runs on."""
        return await asyncio.to_thread(self.expect, pattern, timeout)

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.signal(signal.SIGINT)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def kill9(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout: float = 15.0) -> int:
        """Its exit code (negative: the signal that ended it); AssertionError when it runs on."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s: {self}\n{self.output}") from None

    async def wait_async(self, timeout: float = 15.0) -> int:
        return await asyncio.to_thread(self.wait, timeout)

    def close(self) -> None:
        """End it whatever it does, in order if it can, and give its pipes back."""
        if self.running:
            self.signal(signal.SIGCONT)
            self.terminate()
            try:
                self.wait(5)
            except AssertionError:
                self.kill9()
        for reader in self._readers:
            reader.join(2)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # what was said to it and not read goes with it

    def __str__(self) -> str:
        return f"picoclaw {' '.join(self.args)} (pid {self.pid})"

    def _read(self, pipe: IO[str], own: list[str]) -> None:
        try:
            for line in pipe:
                with self._changed:
                    text = line.rstrip("\n")
                    own.append(text)
                    self.lines.append(text)
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._changed.notify_all()
