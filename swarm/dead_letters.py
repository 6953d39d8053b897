"""Dead letters: the tasks whose attempts are used up, as they lie in the DLQ, with what they were to do."""

import logging
from dataclasses import dataclass

from ..errors import RecordRefused
from .foreign import warn_foreign
from .log import snapshot
from .records import DeadLetter
from .swarm import Swarm

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter."""

    seq: int
    at: float
    """Server time at which it was buried."""
    dead: DeadLetter

    @property
    def id(self) -> str:
        """The task's id."""
        return self.dead.queued.id


async def read_letters(swarm: Swarm) -> list[Letter]:
    """Return the last letter of each task, the latest first; foreign messages are left out."""
    found = []
    for followed in await snapshot(
        swarm.wire, swarm.names.dead_letters, swarm.names.wildcard("dead"), deliver="last_per_subject"
    ):
        try:
            dead = DeadLetter.from_bytes(followed.data)
        except RecordRefused as error:
            warn_foreign(log, followed.subject, error)
            continue
        found.append(Letter(seq=followed.seq, at=followed.at, dead=dead))
    return sorted(found, key=lambda letter: letter.seq, reverse=True)
