"""Sparing: a log names foreign messages, and is not filled by them.

The first ones on a family of subjects are shown at once; of the rest one line a minute tells the number.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...swarm.foreign import MARK

AT_ONCE = 10
"""Lines of one family that are shown before it is only counted."""
WINDOW = 60.0
"""Seconds between two lines that count; a family that was quiet for as long begins anew."""
_FAMILY = 3
"""Tokens that a family's subjects begin with: `picoclaw.<hid>.<asset>`, or a bucket's."""


@dataclass(slots=True)
class _Window:
    until: float
    shown: int = 0
    held: int = 0
    last: str = ""


class Sparing(logging.Filter):
    """Holds back what too many foreign messages would log on one handler, and tells it how many they were.

    The number comes with the first line of any kind after the minute.
    """

    def __init__(self, handler: logging.Handler, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._handler = handler
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to show a record."""
        where: str | None = getattr(record, MARK, None)
        if where is None and not self._windows:
            return True
        now = self._clock()
        self._close(now)
        if where is None:
            return True
        family = ".".join(where.split(".")[:_FAMILY])
        window = self._windows.setdefault(family, _Window(now + WINDOW))
        if window.shown < AT_ONCE:
            window.shown += 1
            return True
        window.held += 1
        window.last = where
        return False

    def _close(self, now: float) -> None:
        for family, window in [item for item in self._windows.items() if now >= item[1].until]:
            del self._windows[family]
            if window.held:
                # Whoever goes on like that is only counted from now on.
                self._windows[family] = _Window(now + WINDOW, AT_ONCE)
                text = (
                    f"{window.held:,} more foreign messages on {family}.>, the last of them on {window.last}"
                )
                self._handler.handle(
                    logging.LogRecord("picoclaw", logging.WARNING, "", 0, text, None, None),
                )


def spare(handler: logging.Handler) -> None:
    """Let a handler be sparing with foreign messages."""
    handler.addFilter(Sparing(handler))
