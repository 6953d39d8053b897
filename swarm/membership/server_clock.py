"""The server's time, as one process knows it."""

from collections.abc import Callable


class ServerClock:
    """The server's time, learnt from messages as they arrive; right to some milliseconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._offset: float | None = None

    def learn(self, server_time: float) -> None:
        """Take a time that the server has just put on a message."""
        self._offset = server_time - self._clock()

    @property
    def known(self) -> bool:
        return self._offset is not None

    def now(self) -> float:
        """Return the server's time, in seconds since the epoch; 0 before anything was learnt."""
        return self._clock() + self._offset if self._offset is not None else 0.0
