"""Redrive: sends dead letters again, each request's together; a letter leaves once that is surely handed in."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import PicoclawError, SwarmError, UsageError
from .bodies import unpack_queued
from .dead_letters import Letter
from .look import read_request
from .records import Request
from .retry import NothingToRetry, retry_request
from .subjects import request_id
from .submission import submit
from .swarm import Swarm
from .views.requests import RequestState


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What became of the dead letters of one request."""

    letters: tuple[str, ...]
    """Ids of their tasks."""
    request: str = ""
    """Id of the request that does them again; empty: none does."""
    new: bool = False
    """False: it had been handed in before."""
    refused: str = ""
    """Why they stay where they are."""
    why: str = ""
    """Why they left without a request: they are done."""


async def redrive(swarm: Swarm, letters: Iterable[Letter], *, sender: str = "") -> list[Redriven]:
    """Send letters again and remove those that were, request by request in their order.

    What cannot be sent stays, with the reason; nothing else is kept from going. Raises ConnectError.
    """
    by_request: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        by_request[letter.dead.queued.request].append(letter)
    outcomes: list[Redriven] = []
    for request, its in by_request.items():
        state = await read_request(swarm, request)
        if state is not None and state.plan is not None:
            outcomes.append(await _retry(swarm, state, its, sender))
            continue
        outcomes += [await _alone(swarm, letter, sender) for letter in its]
    return outcomes


async def _retry(swarm: Swarm, state: RequestState, letters: Sequence[Letter], sender: str) -> Redriven:
    """Retry a request whose log stands, restricted to its dead steps."""
    ids = tuple(letter.id for letter in letters)
    steps = [letter.dead.queued.task.step for letter in letters]
    try:
        retry = await retry_request(swarm, state, steps, sender=sender)
    except NothingToRetry as error:
        await remove(swarm, letters)
        return Redriven(letters=ids, why=str(error))
    except (UsageError, SwarmError) as error:
        return Redriven(letters=ids, refused=str(error))
    await remove(swarm, letters)
    return Redriven(letters=ids, request=retry.request, new=retry.new)


async def _alone(swarm: Swarm, letter: Letter, sender: str) -> Redriven:
    """Make a request of one task from what the letter itself holds; its request's log is gone."""
    try:
        request = await _request_of(swarm, letter, sender)
        new = await submit(swarm, request)
    except PicoclawError as error:
        return Redriven(letters=(letter.id,), refused=str(error))
    await remove(swarm, [letter])
    return Redriven(letters=(letter.id,), request=request.id, new=new)


async def _request_of(swarm: Swarm, letter: Letter, sender: str) -> Request:
    queued = await unpack_queued(letter.dead.queued, swarm.artifacts)
    task = queued.task
    if queued.inputs or task.after:
        raise UsageError(
            f"{letter.id} builds on results of other tasks, and its request is no longer stored: send that again"
        )
    snapshot = task.repository.snapshot if task.repository is not None else None
    if snapshot is not None and not await swarm.artifacts.renew(snapshot):
        raise UsageError(
            f"the repository that {letter.id} works on is no longer stored: send it again with --repo"
        )
    identity, digest = request_id(f"redrive\n{letter.id}\n{letter.seq}")
    text = task.input.get("text", queued.text)
    return Request(
        id=identity,
        key_digest=digest,
        text=text if isinstance(text, str) and text.strip() else queued.text or task.title or task.step,
        demand=task.demand,
        capability=task.capability,
        repository=task.repository,
        input={name: value for name, value in task.input.items() if name != "text"},
        priority=queued.priority,
        unroutable=task.unroutable,
        max_attempts=task.max_attempts,
        task_timeout_s=task.timeout_s,
        task_deadline_s=task.deadline_s,
        retry=task.retry,
        sender=sender,
    )


async def remove(swarm: Swarm, letters: Iterable[Letter]) -> None:
    """Take letters out of the dead letters, with earlier ones of the same tasks.

    All that a request has go at once: who saw only some of them, since this was ended in between,
    would send those again as another request.
    """
    by_request: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        by_request[letter.dead.queued.request].append(letter)
    for request, its in by_request.items():
        newest = {
            swarm.names.dead_letter(request, letter.dead.queued.task.step): letter.seq for letter in its
        }
        whole = swarm.names.dead_letter(request, "*")
        if len(newest) > 1 and await _subjects(swarm, whole) == newest.keys():
            newest = {whole: max(newest.values())}
        for subject, seq in newest.items():
            await swarm.wire.api(
                f"STREAM.PURGE.{swarm.names.dead_letters}", {"filter": subject, "seq": seq + 1}
            )


async def _subjects(swarm: Swarm, filter_: str) -> set[str]:
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.dead_letters}", {"subjects_filter": filter_})
    return set(info["state"].get("subjects") or ())
