"""The real `picoclaw` command in real processes, each with a home of its own."""

import asyncio
import codecs
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

PICOCLAW = Path(sys.executable).with_name("picoclaw")

AT_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""Makes standard input the terminal of this session, as a shell's user has it, and becomes the command."""


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
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        terminal: bool = False,
    ) -> "Spawned": ...


class Spawned:
    """A `picoclaw` process that runs on; its output can be awaited line by line.

    Lines of stdout and stderr stand together in `lines`, in the order in which they were read. With
    `terminal` it is in the foreground of a terminal of 100 columns, and both are one stream.
    """

    def __init__(
        self,
        home: Path,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        terminal: bool = False,
    ) -> None:
        self.args = list(args)
        self.lines: list[str] = []
        self._changed = threading.Condition()
        ours, theirs = _terminal() if terminal else _pipes()
        self._stdin = ours[0]
        self._streams = [_Stream(fd) for fd in ours[1:]]
        self._process = subprocess.Popen(
            [*((sys.executable, "-ISc", AT_TERMINAL) if terminal else ()), str(PICOCLAW), *args],
            env=command_environment(home, env),
            cwd=cwd or home,
            stdin=theirs[0],
            stdout=theirs[1],
            stderr=theirs[-1],
            start_new_session=terminal,
        )
        for fd in set(theirs):
            os.close(fd)
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in self._streams
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
        """All of its standard output so far (at a terminal: of its output)."""
        with self._changed:
            return self._streams[0].text

    @property
    def output(self) -> str:
        """Everything it has said so far, on either stream, with what is no whole line yet at the end."""
        with self._changed:
            return "\n".join([*self.lines, *(stream.rest for stream in self._streams)])

    def expect(self, pattern: str, timeout: float = 20.0, after: int = 0) -> re.Match[str]:
        """The first match in a line said so far or to come; AssertionError with all output otherwise.

        A prompt that waits in an unfinished line counts. `after` leaves out that many of `lines`.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in [*self.lines[after:], *(stream.rest for stream in self._streams)]:
                    if match := re.search(pattern, line):
                        return match
                after = max(after, len(self.lines))
                ended = all(stream.ended for stream in self._streams)
                left = deadline - time.monotonic()
                if ended or left <= 0:
                    break
                self._changed.wait(left)
        why = f"it ended with {self.wait()}" if ended else f"{timeout:g} s have passed"
        raise AssertionError(f"no line matches {pattern!r}: {why}: {self}\n{self.output}")

    async def expect_async(self, pattern: str, timeout: float = 20.0, after: int = 0) -> re.Match[str]:
        """As `expect`, while the event loop runs on."""
        return await asyncio.to_thread(self.expect, pattern, timeout, after)

    def say(self, line: str) -> None:
        """Write a line to its standard input, or type it at its terminal."""
        os.write(self._stdin, f"{line}\n".encode())

    def type(self, keys: str) -> None:
        """Press keys at its terminal; Ctrl-C is `\\x03`, and goes to the foreground as there."""
        os.write(self._stdin, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C, to this process alone."""
        self.signal(signal.SIGINT)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def kill9(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout: float = 30.0) -> int:
        """Its exit code (negative: the signal that ended it); AssertionError when it runs on."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s: {self}\n{self.output}") from None

    async def wait_async(self, timeout: float = 30.0) -> int:
        return await asyncio.to_thread(self.wait, timeout)

    def finish(self, timeout: float = 30.0) -> int:
        """Its exit code once all of its output has been read as well."""
        code = self.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return code

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
        for fd in {self._stdin, *(stream.fd for stream in self._streams)}:
            os.close(fd)

    def __str__(self) -> str:
        return f"picoclaw {' '.join(self.args)} (pid {self.pid})"

    def _read(self, stream: "_Stream") -> None:
        while True:
            try:
                chunk = os.read(stream.fd, 65536)
            except OSError:  # how Linux says that a terminal has nobody left at its other side
                chunk = b""
            with self._changed:
                self.lines += stream.add(chunk)
                self._changed.notify_all()
            if not chunk:
                return


class _Stream:
    """What came out of one descriptor: all of it, and what is no whole line yet."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.text = ""
        self.rest = ""
        self.ended = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, chunk: bytes) -> list[str]:
        """The lines that this chunk completes; an empty chunk is the end, and completes the last one."""
        new = self._decoder.decode(chunk, final=not chunk)
        self.text += new
        *lines, self.rest = (self.rest + new).split("\n")
        if not chunk:
            self.ended = True
            lines += [self.rest] if self.rest else []
            self.rest = ""
        return [line.rstrip("\r") for line in lines]


def _pipes() -> tuple[list[int], list[int]]:
    """Our ends and theirs, of stdin, stdout and stderr."""
    (their_in, our_in), (our_out, their_out), (our_err, their_err) = os.pipe(), os.pipe(), os.pipe()
    return [our_in, our_out, our_err], [their_in, their_out, their_err]


def _terminal() -> tuple[list[int], list[int]]:
    """The same for a terminal: one descriptor for all three."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    return [ours, ours], [theirs, theirs, theirs]
