"""A door's view: hand a request in, watch it to its end, see what a job says of itself."""

import asyncio
from datetime import timedelta

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.errors import SwarmTimeout, UsageError
from picoclaw.swarm.bodies import BODY_LIMIT
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.submission import Ended, Event, LogEvent, Progress, new_request, submit, wait, watch
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, lab_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def watched(swarm: Swarm, request: str) -> list[Event]:
    async with asyncio.timeout(40):
        return [event async for event in watch(swarm, request)]


def kinds_of(events: list[Event]) -> list[str]:
    return [
        f"{event.step}:{event.entry.kind}" if isinstance(event, LogEvent) else type(event).__name__.lower()
        for event in events
    ]


WHOLE = [
    "_:accepted",
    "_:planned",
    f"{STEP}:queued",
    f"{STEP}:started",
    f"{STEP}:done",
    "_:done",
    "ended",
]


async def test_a_watcher_sees_everything_from_the_beginning_to_the_end(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    request = new_request("look", demand="noop")
    watching = asyncio.create_task(watched(swarm, request.id))
    await submit(swarm, request)
    events = await watching
    assert kinds_of(events) == WHOLE
    assert isinstance(events[-1], Ended)
    assert events[-1].result is not None
    assert [e.seq for e in events if isinstance(e, LogEvent)] == sorted(
        e.seq for e in events if isinstance(e, LogEvent)
    )


async def test_whoever_comes_after_the_end_sees_the_same(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await end_of(swarm, request)
    assert kinds_of(await watched(swarm, request)) == WHOLE


async def test_progress_reaches_who_watches(lab: Lab) -> None:
    gate = Gate()

    async def talk(task: QueuedTask, context: Context) -> Result:
        await gate(task, context)
        await context.progress("half of it", fraction=0.5)
        await context.progress("nearly")
        return Result(summary="talked")

    runs = Runs(do=talk)
    await lab.coordinator()
    await lab.worker(executors(runs), name="w")
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()
    watching = asyncio.create_task(watched(swarm, request))
    await asyncio.sleep(0.2)
    gate.open()
    said = [event for event in await watching if isinstance(event, Progress)]
    assert [(p.step, p.node, p.message, p.fraction) for p in said] == [
        (STEP, "w", "half of it", 0.5),
        (STEP, "w", "nearly", None),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"kind": "progress"}',
        b'{"kind": "progress", "node": "w", "message": "m", "fraction": "?"}',
    ],
)
async def test_a_foreign_event_harms_no_watcher(lab: Lab, body: bytes) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()
    watching = asyncio.create_task(watched(swarm, request))
    await asyncio.sleep(0.1)
    await swarm.client.publish(swarm.names.event(request, STEP), body)
    gate.open()
    assert kinds_of(await watching) == WHOLE


async def test_whoever_stops_watching_changes_nothing(lab: Lab) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()
    with pytest.raises(SwarmTimeout, match=f"look again with `picoclaw result {request}`"):
        await wait(swarm, request, limit=timedelta(seconds=0.2))
    gate.open()
    assert (await end_of(swarm, request)).head.state == "done"


async def test_a_watcher_survives_a_restart_of_the_server(start_nats: StartNats, lab: Lab) -> None:
    server = start_nats()
    gate = Gate()
    runs = Runs(do=gate)
    async with lab_on(server.url, lab.folder) as other:
        await other.coordinator()
        await other.worker(executors(runs))
        swarm = await other.door()
        request = await ask(swarm, demand="noop")
        await runs.next()
        watching = asyncio.create_task(watched(swarm, request))
        await asyncio.sleep(0.2)
        server.kill()
        server.restart()
        gate.open()
        assert kinds_of(await watching) == WHOLE
        assert len(runs.tasks) == 1


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
async def test_an_empty_request_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(UsageError, match="the request is empty"):
        new_request(text)


async def test_an_over_large_request_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UsageError, match=r"the limit is 34 MB: pass large inputs as a repository or a file"):
        new_request("x" * (BODY_LIMIT + 1))


async def test_requests_without_a_key_are_always_different_ones(lab: Lab) -> None:
    runs = Runs()
    await lab.coordinator()
    await lab.worker(executors(runs))
    swarm = await lab.door()
    both = [await ask(swarm, "the same", demand="noop") for _ in range(2)]
    assert len(set(both)) == 2
    for request in both:
        await end_of(swarm, request)
    assert len(runs.tasks) == 2
