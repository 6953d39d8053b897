"""The terminal as a screen that is drawn in place, and given back as it was found."""

import os
import signal
import termios
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
"""The alternate screen, no cursor, no wrapping at the right edge; empty."""
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"


class Screen:
    """The terminal of stdin and stdout, from `enter` to `leave`; both are harmless when repeated.

    It keeps descriptors of its own, so that it can be given back whatever becomes of 0 and 1. What is
    written to a terminal that has gone is lost without an error.
    """

    def __init__(self, stdin: int = 0, stdout: int = 1, *, encoding: str = "utf-8") -> None:
        self._out = os.dup(stdout)
        self._in = os.dup(stdin) if os.isatty(stdin) else None
        self._encoding = encoding
        self._before: list[Any] | None = None
        self._entered = False
        self._shown: list[str] = []

    @property
    def keys(self) -> int | None:
        """Return the descriptor that keys come from; None where stdin is no terminal."""
        return self._in

    def enter(self) -> None:
        """Take the terminal: keys come one by one and are not echoed; Ctrl-C stays Ctrl-C."""
        if self._entered:
            return
        self._entered = True
        if self._in is not None:
            self._before = termios.tcgetattr(self._in)
            tty.setcbreak(self._in)
        self._write(_ENTER)
        self._shown = []

    def leave(self) -> None:
        """Give the terminal back."""
        if not self._entered:
            return
        self._entered = False
        self._write(_LEAVE)
        if self._in is not None and self._before is not None:
            try:
                termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)
            except (termios.error, OSError):
                return  # it has gone, and its settings with it

    def pause(self) -> None:
        """Give the terminal back for as long as the process is stopped (Ctrl-Z), then take it again."""
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.enter()

    def close(self) -> None:
        """Leave it and give its descriptors back."""
        self.leave()
        os.close(self._out)
        if self._in is not None:
            os.close(self._in)

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def size(self) -> tuple[int, int]:
        """Return columns and lines as they are now; 80 and 24 where the terminal does not say."""
        try:
            columns, lines = os.get_terminal_size(self._out)
        except OSError:
            return 80, 24
        return columns or 80, lines or 24

    def redraw(self) -> None:
        """Draw everything the next time: the terminal has another size."""
        self._shown = []

    def draw(self, frame: Sequence[str]) -> None:
        """Show the lines from the top; only those that changed are written."""
        if not self._entered:
            return
        out = []
        if len(frame) != len(self._shown):
            self._shown = []
            out.append("\x1b[0m\x1b[2J")
        for number, line in enumerate(frame):
            if not self._shown or self._shown[number] != line:
                # Addressed, so that no line feed can scroll.
                out.append(f"\x1b[{number + 1};1H\x1b[2K{line}")
        self._shown = list(frame)
        if out:
            self._write("".join(out))

    def _write(self, text: str) -> None:
        data = text.encode(self._encoding, "replace")
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            return  # it has gone; whoever waits for keys will hear of it
