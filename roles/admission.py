"""Admission: how much of the log a coordinator's next requests may fill, so that what runs can still end.

It knows the size of the log only now and then, and what it takes in fills the log only later: so it
counts what it has taken since, and what its requests have yet to write.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

OF_TASK = 1_500
"""Bytes that a task has yet to write: `queued`, `started` and its end, with what the stream adds."""
OF_REQUEST = 2_000
"""Bytes that a request of one task writes, beside what it holds itself."""
COPIES = 2
"""How often the log holds what a request says: in `accepted` and in the plan."""


@dataclass(slots=True)
class Admission:
    """Bytes of the log that further requests may fill; None before the log was looked at."""

    _room: float | None = None
    _taken: dict[str, int] = field(default_factory=dict)
    """Requests that have yet to write themselves and their plan, and their bytes."""

    @property
    def looked(self) -> bool:
        return self._room is not None

    @property
    def open(self) -> bool:
        """Whether another request may be taken."""
        return self._room is not None and self._room > 0

    def look(
        self, room: int | None, *, unplanned: Collection[str], unfinished: int, coordinators: int
    ) -> None:
        """Take what the log has left below the admission limit, in bytes; None: it has no size.

        `unplanned` are this coordinator's requests that have no plan yet, `unfinished` is the number of
        tasks of the others that have not ended, and `coordinators` of those who share the room.
        """
        self._taken = {request: size for request, size in self._taken.items() if request in unplanned}
        if room is None:
            self._room = math.inf
        else:
            self._room = room / max(1, coordinators) - unfinished * OF_TASK
            self._room -= sum(self._taken.values())

    def take(self, request: str, size: int) -> None:
        """Count a request of so many bytes that is taken now."""
        self._taken[request] = COPIES * size + OF_REQUEST
        if self._room is not None:
            self._room -= self._taken[request]
