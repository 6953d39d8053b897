"""The live dashboard: the panel drawn in place until `q`, Ctrl-C, or the terminal's end."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from ..hangup import TERMINATED, on_hangup
from ..session import quiet_logs
from .frame import for_encoding, frame
from .look import NONE_HERE, chosen, make_panel, painter
from .screen import Screen
from .watch import Watch

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...swarm.views.nodes import Around, NodeRow

TICK = 1.0
"""Seconds after which ages are drawn anew, whatever happens."""
REST = 0.5
"""Shortest time between two frames, in seconds: a thousand heartbeats are not a thousand frames."""
CLOSE = 5.0
"""Seconds that the connection may take to close."""
ENDS = "q or Ctrl-C ends this view."
NOT_YET = "not known yet: no server has answered"


def show_live(loaded: "Loaded", node: str | None) -> int:
    """Show the panel until the user ends it, and give the terminal back; return the exit code.

    Waits, saying so, where there is no server or swarm yet. Raises what waiting cannot cure, and
    NotFound or Ambiguous for `node`.
    """
    quiet_logs(loaded)
    if sys.stderr.isatty():
        logging.disable(logging.CRITICAL)  # a line of log would stand in the middle of the picture
    try:
        return asyncio.run(_Live(loaded, node).run())
    except KeyboardInterrupt:
        return 0  # before the view stood


class _Live:
    """One showing."""

    def __init__(self, loaded: "Loaded", node: str | None) -> None:
        self._loaded = loaded
        self._node = node
        self._pinned = False
        self._watch = Watch(loaded)
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        self._paint = painter()
        self._code: int | None = None
        """Set: the view ends with it."""

    async def run(self) -> int:
        watching = asyncio.create_task(self._watch.run(), name="watch")
        try:
            with Screen(encoding=self._encoding) as screen:
                self._listen(screen)
                while self._code is None:
                    self._watch.changed.clear()
                    screen.draw(self._frame(*screen.size()))
                    if watching.done():
                        break
                    await self._next(watching)
        finally:
            # The terminal is back by now, whatever the connection still has to say.
            watching.cancel()
            await asyncio.wait({watching}, timeout=CLOSE)
        if self._code is None:
            watching.result()
        return self._code or 0

    async def _next(self, watching: "asyncio.Task[None]") -> None:
        """Wait for something to show: news at most some times a second, else the next tick."""
        until = time.monotonic() + REST
        news = asyncio.ensure_future(self._watch.changed.wait())
        try:
            await asyncio.wait({news, watching}, timeout=TICK, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        if self._code is None and not self._hurry.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._hurry.wait()
        self._hurry.clear()

    def _listen(self, screen: Screen) -> None:
        """Take keys and signals."""
        loop = asyncio.get_running_loop()
        self._hurry = asyncio.Event()

        def wake() -> None:
            self._hurry.set()
            self._watch.changed.set()

        def end(code: int) -> None:
            if self._code is None:
                self._code = code
            wake()

        def resized() -> None:
            screen.redraw()
            wake()

        def pause() -> None:
            screen.pause()
            wake()

        def key() -> None:
            assert screen.keys is not None
            try:
                pressed = os.read(screen.keys, 1024)
            except OSError:
                pressed = b""
            if not pressed:  # the terminal has gone
                loop.remove_reader(screen.keys)
                end(TERMINATED)
            elif b"q" in pressed.lower():
                end(0)

        loop.add_signal_handler(signal.SIGINT, end, 0)
        loop.add_signal_handler(signal.SIGTERM, end, TERMINATED)
        loop.add_signal_handler(signal.SIGWINCH, resized)
        loop.add_signal_handler(signal.SIGTSTP, pause)
        on_hangup(lambda: end(TERMINATED))
        if screen.keys is not None:
            loop.add_reader(screen.keys, key)

    def _frame(self, columns: int, lines: int) -> list[str]:
        from ...swarm.views.nodes import Around

        around = self._watch.around()
        known = around is not None
        around = around or Around(now=0.0)
        panel = make_panel(
            self._loaded,
            around,
            self._this(around) if known else None,
            address=self._watch.address,
            connected=self._watch.current,
            asks=self._watch.asks,
        )
        drawn = frame(
            panel,
            columns,
            lines,
            foot=self._foot(),
            paint=self._paint,
            none_here=NONE_HERE if known else NOT_YET,
        )
        return [for_encoding(line, self._encoding) for line in drawn]

    def _this(self, around: "Around") -> "NodeRow | None":
        """Return this node; the first look decides which one a prefix means."""
        if self._node is None or not self._pinned:
            row = chosen(around, self._node)
            if self._node is not None and row is not None:
                self._node, self._pinned = row.name, True
            return row
        return next((row for row in around.nodes if row.name == self._node), None)

    def _foot(self) -> str:
        watch = self._watch
        if watch.current:
            return ENDS
        if watch.heard is None:
            return f"waiting: {watch.problem or 'connecting'}"
        ago = time.monotonic() - watch.heard
        return f"stale: last heard {ago:.0f} s ago; NATS is away. {watch.problem}".rstrip()
