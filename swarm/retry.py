"""Retry: a new request that does again what did not finish in an earlier one.

Terminal states stay terminal, so nothing of the earlier request changes. The new one's key is made of
the earlier one's id, so that two people who press at once make one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import PlanError, UsageError
from .look import read_request
from .records import Request, Retried
from .repeating import steps_to_run
from .subjects import request_id
from .submission import submit
from .swarm import Swarm
from .views.requests import RequestState


class NothingToRetry(PlanError):
    """Raised when all that was to run again is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A retry as it was handed in."""

    request: str
    """Id of the request that does it."""
    new: bool
    """False: somebody had asked for the same before, and it has not ended."""
    retries: str
    """Id of the request whose unfinished tasks it runs."""
    steps: tuple[str, ...]
    """Which of its tasks run again; empty: it had no plan, and is planned anew."""


async def retry_request(
    swarm: Swarm, state: RequestState, steps: Sequence[str] = (), *, sender: str = ""
) -> Retry:
    """Hand in a retry of a request that has ended, or of some of its steps with what waits for them.

    Where the same was retried before and did not get done, that retry is what is retried. Raises
    UsageError before anything is written: it still runs, all is done, its content is gone; NothingToRetry;
    QueueFull, SwarmError.
    """
    chosen = tuple(sorted(set(steps)))
    base = last = state
    while True:
        running = _check(base, state, chosen)
        identity, digest = request_id("\n".join(("retry", last.id, *chosen)))
        found = await read_request(swarm, identity)
        if found is None:
            break
        if not found.head.terminal:
            return Retry(request=identity, new=False, retries=base.id, steps=running)
        last = found
        if found.plan is not None:
            base = found
    await _keep_repositories(swarm, base, running)
    assert base.request is not None
    request = base.request.model_copy(
        update={
            "id": identity,
            "key_digest": digest,
            "retried": Retried(request=base.id, steps=chosen),
            "firing": None,
            "sender": sender,
        }
    )
    new = await submit(swarm, Request.model_validate(request.model_dump()))
    return Retry(request=identity, new=new, retries=base.id, steps=running)


def _check(base: RequestState, asked: RequestState, steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the steps that run again, in the plan's order. Raises UsageError in words."""
    name = base.id if base is asked else f"{asked.id} was retried as {base.id}, and {base.id}"
    if not base.head.terminal:
        raise UsageError(
            f"{name} has not ended: wait for its end with `picoclaw watch {base.id}`, or end it with "
            f"`picoclaw cancel {base.id}`, then retry it"
        )
    if base.request is None:
        raise UsageError(f"{name} was withdrawn before a coordinator had taken it: send it again")
    if base.request.ref is not None:
        raise UsageError(f"what {name} asked for is no longer stored: send it again")
    if base.plan is None:
        if base.head.planned:
            raise UsageError(f"the plan of {name} is no longer stored: send it again")
        if base.head.state == "done":
            raise NothingToRetry(f"{name} is done: there is nothing to run again")
        return ()
    if not any(head.state != "done" for head in base.heads.values()) and len(base.heads) == len(base.tasks()):
        raise NothingToRetry(f"{name} has nothing to run again: each of its tasks is done")
    done = [step for step in steps if step in base.heads and base.heads[step].state == "done"]
    if steps and len(done) == len(steps):
        raise NothingToRetry(f"{name} has nothing to run again: {', '.join(done)[:200]} is done")
    try:
        running = steps_to_run(base.plan, base.heads, [step for step in steps if step not in done])
    except PlanError as error:
        raise PlanError(f"{name} cannot be retried like that: {error}") from None
    return tuple(task.step for task in base.plan.tasks if task.step in running)


async def _keep_repositories(swarm: Swarm, base: RequestState, running: Sequence[str]) -> None:
    """See to it that what the tasks work on outlives them. Raises UsageError when it is gone."""
    wanted = set(running)
    snapshots = {
        task.repository.snapshot.name: task.repository.snapshot
        for task in (base.plan.tasks if base.plan is not None else ())
        if task.step in wanted and task.repository is not None and task.repository.snapshot is not None
    }
    for snapshot in snapshots.values():
        if not await swarm.artifacts.renew(snapshot):
            raise UsageError(
                f"the repository that {base.id} works on is no longer stored: send the request again with --repo"
            )
