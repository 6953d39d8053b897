"""Lines that are typed at this terminal while something else is printed, without a thread that would outlive it."""

import asyncio
import os
import sys
import termios
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..node.typed_line import in_foreground


def can_type() -> bool:
    """Return whether somebody can answer: both ends are a terminal, and this is its foreground process."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty() and in_foreground()
    except ValueError:  # closed
        return False


class Typing:
    """A block in which lines are read from the terminal; what was typed before it is thrown away."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._begun = b""
        self._number = sys.stdin.fileno()

    def __enter__(self) -> Self:
        with suppress(OSError, termios.error):
            # Nobody meant an answer by what stood there before the question.
            termios.tcflush(self._number, termios.TCIFLUSH)
        asyncio.get_running_loop().add_reader(self._number, self._read)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._number)

    async def line(self) -> str:
        """Return the next line. Raises EOFError when the terminal has gone, or at Ctrl-D."""
        line = await self._lines.get()
        if line is None:
            raise EOFError
        return line

    def _read(self) -> None:
        try:
            data = os.read(self._number, 65_536)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._number)
            self._lines.put_nowait(None)
            return
        *whole, self._begun = (self._begun + data).split(b"\n")
        for line in whole:
            self._lines.put_nowait(line.decode("utf-8", "replace"))
