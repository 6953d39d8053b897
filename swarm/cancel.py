"""Cancel: end a request or a task from outside, by compare-and-set like everybody else."""

from dataclasses import dataclass

from ..errors import AppendRefused, NotFound
from .entries import Cancelled, Cancelling
from .subjects import REQUEST_STEP, task_id
from .swarm import Swarm


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request's cancellation."""

    ended: str = ""
    """The state in which it had ended before."""
    withdrawn: bool = False
    """It was still in the inbox, and has ended."""


TEXT = 200
"""Characters kept of what was asked, where the log has not got it."""


async def cancel_request(swarm: Swarm, request: str, *, why: str, by: str = "", text: str = "") -> Outcome:
    """Ask for a request's end; its owner ends the tasks and then the request.

    One that no coordinator has taken ends at once; `text` is then what the log keeps of it. To ask
    again is harmless.
    """
    while True:
        head = await swarm.log.request_head(request)
        if head.terminal:
            return Outcome(ended=head.state)
        if head.cancelling:
            return Outcome()
        entry: Cancelled | Cancelling
        if head.seq:
            # The last entry alone must still tell whose request it is.
            entry = Cancelling(by=by, why=why, owner=head.owner, run=head.run)
        else:
            entry = Cancelled(by=by, reason="person", why=why, text=text[:TEXT] or None)
        try:
            await swarm.log.append(request, REQUEST_STEP, entry, expected=head.seq)
        except AppendRefused:
            continue
        if isinstance(entry, Cancelled):
            await swarm.inbox.withdraw(request)
            return Outcome(withdrawn=True)
        return Outcome()


async def cancel_task(swarm: Swarm, request: str, step: str, *, why: str, by: str = "") -> str:
    """End a task; return the state in which it had ended before, or "" when this ended it.

    Whoever holds it is told to stop; its later result is refused by the log. Raises NotFound when
    the whole request was purged meanwhile.
    """
    while True:
        head = await swarm.log.head(request, step)
        if head.terminal:
            return head.state
        if not head.seq and not (await swarm.log.request_head(request)).planned:
            raise NotFound(f"{task_id(request, step)} is not there any more: its request was removed")
        entry = Cancelled(by=by, reason="person", why=why)
        try:
            seq = await swarm.log.append(request, step, entry, expected=head.seq)
        except AppendRefused:
            continue
        if head.state == "running":
            await swarm.fence(head.node, task_id(request, step), seq)
        await swarm.queue.withdraw(request, step)
        return ""
