"""The Python client against real nodes: hand in, watch, wait, cancel, look around."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import picoclaw.gateway
from picoclaw.capabilities.executor import Context
from picoclaw.errors import (
    ConfigError,
    IdempotencyClash,
    NoServer,
    NotFound,
    PicoclawError,
    RepositoryError,
    SwarmError,
    SwarmTimeout,
    UsageError,
)
from picoclaw.gateway import SwarmClient
from picoclaw.swarm.look import read_request
from picoclaw.swarm.records import QueuedTask, Result, Retry
from picoclaw.tests.support.docs import ROOT
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.swarm import Lab

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

SOON = timedelta(seconds=15)


def connected(lab: Lab) -> AbstractAsyncContextManager[SwarmClient]:
    return picoclaw.gateway.connect(lab.nats.urls, hid=lab.hid, environ={})


@pytest.fixture
async def talks() -> Runs:
    async def talk(task: QueuedTask, context: Context) -> Result:
        await context.progress("half of it", fraction=0.5)
        return Result(summary="talked", data={"said": task.task.input.get("say", "nothing")})

    return Runs("noop", "other", do=talk)


@pytest.fixture
async def client(lab: Lab, talks: Runs) -> AsyncIterator[SwarmClient]:
    await lab.coordinator(name="lead")
    await lab.worker(executors(talks), name="hand")
    async with connected(lab) as client:
        yield client


async def test_limits_of_tasks_go_along_and_wrong_ones_are_refused(lab: Lab, client: SwarmClient) -> None:
    sent = await client.submit(
        "talk", capability="noop", retry_delay=timedelta(0), retry_longest=timedelta(seconds=5),
        final=["*no such*"], task_timeout=timedelta(seconds=20), task_deadline=timedelta(minutes=1),
    )  # fmt: skip
    assert (await client.wait(sent, timeout=SOON)).ok
    state = await read_request(await lab.door(), sent.id)
    assert state is not None
    assert state.plan is not None
    (task,) = state.plan.tasks
    assert (task.timeout_s, task.deadline_s) == (20, 60)
    assert state.request is not None
    assert state.request.retry == Retry(first_s=0, longest_s=5, final=("*no such*",))
    for wrong in ({"task_timeout": timedelta(0)}, {"task_deadline": timedelta(-1)}, {"final": [""]},
                  {"retry_delay": timedelta(2)}, {"retry_delay": SOON, "retry_longest": timedelta(1e-6)}):  # fmt: skip
        with pytest.raises(UsageError):
            await client.submit("talk", capability="noop", **wrong)


async def test_what_did_not_finish_is_retried(lab: Lab, client: SwarmClient) -> None:
    sent = await client.submit("talk", capability="nobody", unroutable="fail")
    assert not (await client.wait(sent, timeout=SOON)).ok
    await lab.worker(executors(Runs("nobody")), name="late")
    again = await client.retry(sent)
    assert again.new
    assert (await client.wait(again, timeout=SOON)).ok
    with pytest.raises(UsageError, match="is done"):
        await client.retry(again)


async def test_a_request_is_handed_in_watched_and_brings_its_report(client: SwarmClient) -> None:
    handle = await client.submit("Say it", capability="noop", input={"say": "hello"}, key="once")
    assert handle.new
    assert str(handle) == handle.id

    events = [event async for event in client.watch(handle)]
    report = await client.wait(handle.id[:8], timeout=SOON)

    told = [(event.step, event.what, event.node) for event in events if event.what != "progress"]
    assert told == [
        ("", "accepted", "lead"),
        ("", "planned", "lead"),
        ("task", "queued", ""),
        ("task", "running", "hand"),
        ("task", "done", "hand"),
        ("", "done", "lead"),
    ]
    assert [event.last for event in events] == [False] * (len(events) - 1) + [True]
    assert (report.state, report.ok, report.partial, report.reason) == ("done", True, False, "")
    assert "talked" in report.markdown
    assert report.data is not None
    brought = await client.result(f"{handle.id}.task")
    assert (brought.state, brought.ended, brought.summary) == ("done", True, "talked")
    assert brought.data == {"said": "hello"}

    again = await client.submit("Say it", capability="noop", input={"say": "hello"}, key="once")
    assert (again.id, again.new) == (handle.id, False)
    with pytest.raises(IdempotencyClash):
        await client.submit("Say something else", capability="noop", key="once")


async def test_who_and_what_is_there_is_listed_and_described(client: SwarmClient) -> None:
    first = await client.submit("One", capability="noop", priority=3)
    at_node = await client.submit("Two", node="hand", capability="other")
    for handle in (first, at_node):
        assert (await client.wait(handle, timeout=SOON)).ok

    assert [(row.name, row.role, row.status) for row in await client.nodes()] == [
        ("hand", "worker", "online"),
        ("lead", "coordinator", "online"),
    ]
    assert (await client.node("ha")).name == "hand"
    assert [row.id for row in await client.requests()] == [at_node.id, first.id]
    assert [row.id for row in await client.requests(limit=1)] == [at_node.id]
    assert [row.priority for row in await client.requests(limit=None)] == [1, 3]
    assert [row.request for row in await client.tasks()] == [at_node.id, first.id]
    (task,) = await client.tasks(at_node)
    assert (task.capability, task.does, task.node, task.state) == ("node:hand", "other", "hand", "done")
    described = await client.describe(first.id)
    assert (described.request.text, described.request.status) == ("One", "done")
    assert [row.id for row in described.tasks] == [f"{first.id}.task"]
    assert [row.what for row in described.history][-1] == "done"


async def test_it_is_cancelled_as_a_whole_or_by_task_and_waiting_has_a_limit(
    lab: Lab, client: SwarmClient
) -> None:
    gate = Gate()
    runs = Runs("slow", do=gate)
    await lab.worker(executors(runs), name="slowly")
    handle = await client.submit("Take your time", capability="slow")
    await runs.next()

    with pytest.raises(SwarmTimeout):
        await client.wait(handle, timeout=timedelta(milliseconds=100))
    assert await client.cancel(handle, "not needed") is True

    report = await client.wait(handle, timeout=SOON)
    assert (report.state, report.ok) == ("cancelled", False)
    assert "not needed" in report.reason
    assert await client.cancel(handle.id) is False

    other = await client.submit("Take your time too", capability="slow")
    task = f"{other.id}.task"
    await runs.next()
    assert await client.cancel(task) is True
    assert (await client.wait(other, timeout=SOON)).state != "done"
    assert (await client.result(task)).state == "cancelled"


async def test_who_stops_watching_changes_nothing(lab: Lab, client: SwarmClient) -> None:
    gate = Gate()
    await lab.worker(executors(Runs("slow", do=gate)), name="slowly")
    handle = await client.submit("Take your time", capability="slow")

    async for event in client.watch(handle):
        if event.what == "running":
            break
    gate.open()

    assert (await client.wait(handle, timeout=SOON)).ok


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"text": " "}, UsageError),
        ({"text": "\udcff"}, UsageError),
        ({"priority": 4}, UsageError),
        ({"deadline": timedelta(0)}, UsageError),
        ({"unroutable": "hope"}, UsageError),
        ({"max_attempts": 0}, UsageError),
        ({"key": ""}, UsageError),
        ({"capability": "a b"}, UsageError),
        ({"labels": {"zone": "a"}}, UsageError),
        ({"node": "n", "labels": {"zone": "a"}}, UsageError),
        ({"capability": "noop", "template": "code-review"}, UsageError),
        ({"repo": "/not/there"}, RepositoryError),
        ({"diff": "main"}, UsageError),
        ({"diff": "no such base", "repo": str(ROOT)}, PicoclawError),
    ],
)
async def test_wrong_input_is_refused_before_anything_is_sent(
    client: SwarmClient, options: dict[str, Any], kind: type[PicoclawError]
) -> None:
    with pytest.raises(kind):
        await client.submit(**{"text": "do it", **options})
    assert await client.requests() == []


async def test_a_change_goes_along_as_the_command_line_sends_it(client: SwarmClient, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "small", {"a.py": "x = 1\n"}, git=True)
    (folder / "a.py").write_text("x = 1\ny = 2\n", encoding="utf-8")

    handle = await client.submit("Look", capability="noop", repo=folder, diff="HEAD")

    assert (await client.wait(handle, timeout=SOON)).ok
    state = (await client._found(handle)).state
    assert state.request is not None
    change = state.request.input["change"]
    assert isinstance(change, dict)
    assert "a.py" in str(change["files"])


async def test_a_broadcast_goes_to_each_node_that_offers_it(
    lab: Lab, client: SwarmClient, talks: Runs
) -> None:
    await lab.worker(executors(talks), name="other hand")

    report = await client.wait(
        await client.submit("go", capability="noop", broadcast=True, quorum="majority", within=SOON),
        timeout=SOON,
    )

    assert (report.state, report.partial, report.summary) == ("done", False, "2 of 2 nodes answered")
    assert isinstance(report.data, dict)
    assert (report.data["asked"], report.data["quorum"]) == (2, 2)
    for wrong in ({"quorum": 2}, {"broadcast": True, "quorum": 0}, {"broadcast": True, "node": "hand"}):
        with pytest.raises(UsageError):
            await client.submit("go", **({"capability": "noop"} | wrong))


async def test_ids_that_mean_nothing_or_the_wrong_thing_are_told(client: SwarmClient) -> None:
    handle = await client.submit("do it", capability="noop")
    await client.wait(handle, timeout=SOON)
    for call in (client.wait, client.cancel, client.describe, client.result, client.tasks, client.node):
        with pytest.raises(NotFound):
            await call("r-aaaaaaaaaaaaaaaa")
    with pytest.raises(NotFound):
        await anext(client.watch("nothing"))
    with pytest.raises(UsageError, match="is a request"):
        await client.result(handle.id)
    with pytest.raises(UsageError, match="is a task"):
        await client.wait(f"{handle.id}.task")


async def test_a_connection_that_cannot_be_is_told_in_words(nats_server: NatsServer, tmp_path: Path) -> None:
    with pytest.raises(SwarmError, match="no swarm with H-id 'nowhere"):
        async with picoclaw.gateway.connect(nats_server.url, hid=f"nowhere {secrets.token_hex(4)}"):
            pytest.fail("it connected")
    with pytest.raises(NoServer):
        async with picoclaw.gateway.connect("nats://127.0.0.1:1"):
            pytest.fail("it connected")
    with pytest.raises(ConfigError, match=r"swarm\.rol"):
        async with picoclaw.gateway.connect(settings={"swarm.rol": "worker"}):
            pytest.fail("it connected")
    with pytest.raises(ConfigError, match=r"gone\.yaml is not there"):
        async with picoclaw.gateway.connect(config=tmp_path / "gone.yaml"):
            pytest.fail("it connected")


async def test_the_environment_and_a_file_lead_to_the_swarm_as_for_the_command(
    lab: Lab, client: SwarmClient, tmp_path: Path
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"swarm:\n  hid: {lab.hid}\n  nats:\n    urls: [{lab.nats.urls[0]}]\n", encoding="utf-8")
    environ = {"PICOCLAW_SWARM_HID": str(lab.hid), "PICOCLAW_SWARM_NATS_URLS": lab.nats.urls[0]}
    async with asyncio.timeout(40):
        async with picoclaw.gateway.connect(config=file, environ={}) as by_file:
            assert by_file.hid == lab.hid
        async with picoclaw.gateway.connect(environ=environ) as by_environment:
            assert by_environment.hid == lab.hid


def test_the_names_of_the_folder_are_there_and_no_others() -> None:
    for name in picoclaw.gateway.__all__:
        assert getattr(picoclaw.gateway, name).__module__.startswith("picoclaw.gateway.")
    with pytest.raises(AttributeError, match="no attribute 'SwarmServer'"):
        _ = picoclaw.gateway.SwarmServer
