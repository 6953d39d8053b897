"""Bodies: records over 128 KiB travel as an artifact and a short stand-in that refers to it."""

import asyncio

from ..errors import BodyGone, UsageError
from .artifacts import ArtifactStore
from .entries import Planned
from .nesting import DEEPEST, too_deep
from .records import Plan, QueuedTask, Request, Result

INLINE_LIMIT = 128 * 1024
"""Largest record in a message, in bytes."""
BODY_LIMIT = 32 * 1024 * 1024
"""Largest record at all, in bytes; files and repositories travel as artifacts of their own."""


async def pack_request(request: Request, artifacts: ArtifactStore) -> Request:
    """Return the request itself, or its stand-in.

    Raises UsageError when it is over 32 MiB or nested too deep.
    """
    data = request.to_bytes()
    await _check_nesting(data, "the request")
    if len(data) <= INLINE_LIMIT:
        return request
    check_size(len(data), "the request")
    ref = await artifacts.put(data, media_type="application/json")
    return Request(
        id=request.id,
        key_digest=request.key_digest,
        text=request.text[:200],
        priority=request.priority,
        sender=request.sender,
        ref=ref,
    )


async def unpack_request(request: Request, artifacts: ArtifactStore) -> Request:
    """Return the whole request."""
    if request.ref is None:
        return request
    return Request.from_bytes(await artifacts.get(request.ref))


async def pack_queued(queued: QueuedTask, artifacts: ArtifactStore) -> QueuedTask:
    """Return the queue message itself, or its stand-in."""
    data = queued.to_bytes()
    if len(data) <= INLINE_LIMIT:
        return queued
    ref = await artifacts.put(data, media_type="application/json")
    task = queued.task.model_copy(update={"input": {}})
    return queued.model_copy(update={"task": task, "inputs": {}, "text": queued.text[:200], "ref": ref})


async def unpack_queued(queued: QueuedTask, artifacts: ArtifactStore) -> QueuedTask:
    """Return the whole queue message, with whole results of what it builds on.

    Its sequence and attempt are the stand-in's.
    """
    whole = queued
    if queued.ref is not None:
        whole = await asyncio.to_thread(QueuedTask.from_bytes, await artifacts.get(queued.ref))
        whole = whole.model_copy(update={"queued_seq": queued.queued_seq, "attempt": queued.attempt})
    if all(result.ref is None for result in whole.inputs.values()):
        return whole
    inputs = {step: await unpack_result(result, artifacts) for step, result in whole.inputs.items()}
    return whole.model_copy(update={"inputs": inputs})


async def pack_result(
    result: Result, artifacts: ArtifactStore, *, limit: int | None = None, inline: int = INLINE_LIMIT
) -> Result:
    """Return the result itself, or its stand-in where it is over `inline` bytes.

    `limit`: bytes of one that comes from an executor; raises UsageError when it is over that, or nested
    too deep.
    """
    data = result.to_bytes()
    if limit is not None:
        await _check_nesting(data, "it")
    if len(data) <= inline:
        return result
    if limit is not None and len(data) > limit:
        raise UsageError(
            f"it has {len(data) / 1e6:.0f} MB, the limit is {limit / 1e6:.0f} MB: "
            "an executor hands over large outputs as artifacts of their own"
        )
    ref = await artifacts.put(data, media_type="application/json")
    partial = result.partial[:500] if result.partial else None
    return Result(summary=result.summary[:2000], artifacts=result.artifacts[:100], partial=partial, ref=ref)


async def pack_report(
    body: bytes, summary: str, artifacts: ArtifactStore, *, inline: int = INLINE_LIMIT
) -> Result:
    """Return a result in its wire form as itself, or as its stand-in where it is over `inline` bytes.

    A report has no limit: it is made of results that kept theirs.
    """
    if len(body) <= inline:
        return Result.from_bytes(body)
    ref = await artifacts.put(body, media_type="application/json")
    return Result(summary=summary[:2000], ref=ref)


async def unpack_result(result: Result, artifacts: ArtifactStore) -> Result:
    """Return the whole result."""
    if result.ref is None:
        return result
    return await asyncio.to_thread(Result.from_bytes, await artifacts.get(result.ref))


async def unpack_plan(entry: Planned, artifacts: ArtifactStore) -> Plan:
    """Return the plan of a `planned` entry.

    Raises BodyGone when the entry holds none.
    """
    if entry.plan is not None:
        return entry.plan
    if entry.ref is None:
        raise BodyGone("the log's manifest holds no plan: the entry was damaged; send the request again")
    return await asyncio.to_thread(Plan.from_bytes, await artifacts.get(entry.ref))


async def _check_nesting(data: bytes, what: str) -> None:
    small = len(data) <= INLINE_LIMIT
    if too_deep(data) if small else await asyncio.to_thread(too_deep, data):
        raise UsageError(f"{what} is nested too deep, over {DEEPEST} levels: pass it as a text or a file")


def check_size(size: int, what: str) -> None:
    """Raise UsageError when a body is over the limit."""
    if size > BODY_LIMIT:
        raise UsageError(
            f"{what} has {size / 1e6:.0f} MB, the limit is {BODY_LIMIT / 1e6:.0f} MB: "
            "pass large inputs as a repository or a file"
        )
