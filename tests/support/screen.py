"""The real command at a terminal whose screen can be read, cell by cell, as a person sees it."""

import codecs
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyte

from picoclaw.tests.support.command import AT_TERMINAL, PICOCLAW, command_environment
from picoclaw.tests.support.waiting import wait_for

HISTORY = 1000


class Terminal:
    """A `picoclaw` process in the foreground of a terminal of its own."""

    def __init__(
        self, home: Path, *args: str, columns: int, lines: int, env: Mapping[str, str] | None = None
    ) -> None:
        self.args = args
        self.raw = b""
        """Everything that was written to the terminal."""
        self.screen = pyte.HistoryScreen(columns, lines, history=HISTORY)
        self._stream = pyte.Stream(self.screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._lock = threading.Lock()
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (lines, columns))
        self.modes_before = self.modes
        """Of the terminal, as termios has them, before the command."""
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", AT_TERMINAL, str(PICOCLAW), *args],
            env=command_environment(home, {"TERM": "xterm-256color", **(env or {})}),
            cwd=home,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    @property
    def rows(self) -> list[str]:
        """The screen now, a text for each line."""
        with self._lock:
            return [line.rstrip() for line in self.screen.display]

    @property
    def scrolled(self) -> int:
        """How many lines have left the screen at its top."""
        with self._lock:
            return len(self.screen.history.top)

    def row(self, text: str) -> str:
        """The first line of the screen that holds the text; empty when none does."""
        return next((row for row in self.rows if text in row), "")

    def until(self, text: str, timeout: float = 15.0) -> str:
        """Wait until a line of the screen holds the text, and return that line."""
        try:
            return wait_for(lambda: self.row(text), timeout, text)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.rows])) from None

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Another size, of which the kernel tells the command."""
        with self._lock:
            self.screen.resize(lines, columns)
            termios.tcsetwinsize(self._ours, (lines, columns))

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = 15.0) -> int:
        """Its exit code, once everything that it wrote has been read."""
        code = self._process.wait(timeout)
        # Whoever else holds the terminal is this test, so that its modes can be read.
        os.write(self._theirs, b"\0")
        wait_for(lambda: self.raw.endswith(b"\0"), timeout, "the end of its output")
        return code

    def close(self) -> None:
        """End it, and give the terminal back."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._theirs)
        self._reader.join(2)
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:  # how Linux says that nobody is left at the other side
                return
            if not chunk:
                return
            with self._lock:
                self.raw += chunk
                # pyte leaves out what follows a sign that has no width of its own.
                self._stream.feed(self._decoder.decode(chunk).replace("\ufe0f", ""))
