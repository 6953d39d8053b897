"""Progress: a line on stderr, at a terminal only, while something takes longer than a second."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from .output import STATUS_LINE, hush

PATIENCE = timedelta(seconds=1)
EVERY = timedelta(seconds=0.2)
_MARKS = "|/-\\"


@asynccontextmanager
async def spinning(text: str) -> AsyncIterator[None]:
    """Show `text` and the seconds from the second second on; the first output takes it away."""
    if not sys.stderr.isatty():
        yield
        return
    line = StatusLine(text)
    before = STATUS_LINE.set(line)
    drawing = asyncio.create_task(line.draw(), name="progress")
    try:
        yield
    finally:
        hush()
        STATUS_LINE.reset(before)
        drawing.cancel()
        await asyncio.gather(drawing, return_exceptions=True)


class StatusLine:
    """One line that is drawn again and again, until it is taken away for good."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._shown = False
        self._over = False

    async def draw(self) -> None:
        """Draw it until `clear`."""
        began = time.monotonic()
        await asyncio.sleep(PATIENCE.total_seconds())
        turn = 0
        while not self._over:
            seconds = time.monotonic() - began
            width = _width()
            sys.stderr.write(f"\r\x1b[K{f'{_MARKS[turn % 4]} {self._text} ({seconds:.0f} s)'[: width - 1]}")
            sys.stderr.flush()
            self._shown, turn = True, turn + 1
            await asyncio.sleep(EVERY.total_seconds())

    def clear(self) -> None:
        """Take the line away; it does not come back."""
        self._over = True
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _width() -> int:
    import shutil

    return max(10, shutil.get_terminal_size().columns)
