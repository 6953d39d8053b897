"""Ticker: one line at the terminal that says how far the show is; it makes room for whole lines."""

import asyncio
import sys

from ..printing.output import STATUS_LINE, hush
from .scene import Scene

EVERY = 0.2
BAR = 24


class Ticker:
    """A line that is drawn again after each output; nothing where nobody looks."""

    def __init__(self) -> None:
        self._shown = False

    async def watch(self, scene: Scene) -> None:
        """Draw it until cancelled."""
        if not sys.stderr.isatty():
            return
        before = STATUS_LINE.set(self)
        try:
            while True:
                await asyncio.sleep(EVERY)
                if scene.total:
                    self._draw(line(scene))
        finally:
            hush()
            STATUS_LINE.reset(before)

    def _draw(self, text: str) -> None:
        import shutil

        width = max(10, shutil.get_terminal_size().columns)
        sys.stderr.write(f"\r\x1b[K{text[: width - 1]}")
        sys.stderr.flush()
        self._shown = True

    def clear(self) -> None:
        """Take it away until it is drawn again."""
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def line(scene: Scene) -> str:
    """Return how far the work is, and who is at it."""
    done, total = scene.done, max(1, scene.total)
    filled = BAR * done // total
    holders = sorted({head.node for head in scene.heads.values() if head.state == "running"})
    who = f", {scene.running()} running on {', '.join(holders)}" if holders else ""
    return f"        [{'#' * filled}{'.' * (BAR - filled)}] {done} of {total} tasks ended{who}"
