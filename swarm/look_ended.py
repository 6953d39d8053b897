"""Look at what a node has ended: how much of it, and what last."""

from dataclasses import dataclass

from .entries import Dead, Done, Failed
from .log import decode
from .subjects import REQUEST_STEP, task_id
from .swarm import Swarm


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTask:
    """One task that a node ended."""

    id: str
    state: str
    at: float
    """Server time."""
    said: str
    """Its summary, or its error."""


async def ended_on(swarm: Swarm, node: str) -> list[EndedTask]:
    """Return the tasks that a node ended, the latest first, as far back as the log goes.

    Reads the last entry of every task in the log.
    """
    found = []
    for (request, step), followed in (await swarm.log.heads()).items():
        if step == REQUEST_STEP:
            continue
        entry = decode(followed)
        if isinstance(entry, Done | Failed | Dead) and entry.node == node:
            said = entry.result.summary if isinstance(entry, Done) else entry.error
            found.append(EndedTask(id=task_id(request, step), state=entry.kind, at=followed.at, said=said))
    return sorted(found, key=lambda task: -task.at)
