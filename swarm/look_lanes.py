"""Look at the lanes: how much waits in each and since when, and what is planned behind them."""

import asyncio
from datetime import datetime

from .entries import Cancelled, Done, Failed
from .lanes import Lane
from .log import decode, snapshot
from .look import AT_ONCE, Listed, read_requests
from .subjects import REQUEST_ID, REQUEST_STEP, split_log_subject
from .swarm import Swarm
from .views.lanes import LaneDepth
from .views.requests import RequestState
from .wire import NOT_FOUND, ApiError


async def read_lanes(swarm: Swarm) -> list[LaneDepth]:
    """Return the depth of every lane that has a record."""
    bucket = swarm.lanes.bucket
    for followed in await snapshot(
        swarm.wire, bucket.stream, bucket.subject(">"), deliver="last_per_subject"
    ):
        swarm.lanes.take(followed)
    gate = asyncio.Semaphore(AT_ONCE)

    async def read(lane: Lane) -> LaneDepth:
        async with gate:
            return await _depth(swarm, lane)

    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(read(lane)) for lane in swarm.lanes.known.values()]
    return [task.result() for task in reading]


async def _depth(swarm: Swarm, lane: Lane) -> LaneDepth:
    depths = await swarm.lanes.depths(lane)
    queued = {level: waits for level, (waits, _) in depths.items()}
    in_flight = sum(flying for _, flying in depths.values())
    oldest = await _oldest(swarm, lane) if in_flight or any(queued.values()) else None
    return LaneDepth(
        demand=lane.demand,
        queued=queued,
        in_flight=in_flight,
        oldest_at=oldest,
        closing=lane.record.state == "closing",
    )


async def _oldest(swarm: Swarm, lane: Lane) -> float | None:
    try:
        answer = await swarm.wire.api(
            f"STREAM.MSG.GET.{swarm.names.tasks}",
            {"seq": 1, "next_by_subj": swarm.names.lane_filter(lane.key, None)},
        )
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return None
    return datetime.fromisoformat(str(answer["message"]["time"])).timestamp()


async def open_requests(swarm: Swarm) -> list[RequestState]:
    """Return where every request stands that a coordinator has and that has not ended.

    Costs one message per request that the log holds, and the whole of those that are open.
    """
    last = await snapshot(
        swarm.wire, swarm.names.log, swarm.names.log_of("*", REQUEST_STEP), deliver="last_per_subject"
    )
    still = []
    for followed in last:
        request, _ = split_log_subject(followed.subject)
        if REQUEST_ID.fullmatch(request) and not isinstance(decode(followed), Done | Failed | Cancelled):
            still.append(Listed(request, followed.at))
    return [state for state in await read_requests(swarm, still) if not state.head.terminal]
