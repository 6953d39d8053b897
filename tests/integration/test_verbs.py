"""The verbs as real commands, on a swarm whose tasks do what the test tells them."""

import asyncio
import json
import re
import subprocess
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from picoclaw.errors import FinalError, RetryableError
from picoclaw.swarm.entries import Queued
from picoclaw.swarm.records import Result
from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.executors import Gate, Runs, executors, raising, returning
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, entries, in_queue, kinds, step, template
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

Verb = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def verb(lab: Lab, run_picoclaw: RunPicoclaw) -> Verb:
    """Run a verb of the real command on the lab's swarm."""

    async def run(*args: str) -> subprocess.CompletedProcess[str]:
        where = ("--swarm.nats.urls", lab.nats.urls[0], "--swarm.hid", str(lab.hid))
        return await asyncio.to_thread(run_picoclaw, *args, *where)

    return run


def table(ran: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    """The rows of a table by its header."""
    assert ran.returncode == 0, ran.stderr
    head, *lines = ran.stdout.splitlines()
    names = [name for name in head.split("   ") if name]
    starts = [head.index(name) for name in names]
    ends = [*starts[1:], None]
    return [
        {name.strip(): line[a:b].strip() for name, a, b in zip(names, starts, ends, strict=True)}
        for line in lines
    ]


def read(ran: subprocess.CompletedProcess[str]) -> Any:
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


async def test_get_nodes_shows_who_serves_what_and_how_busy_it_is(lab: Lab, verb: Verb) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator(name="lead")
    await lab.worker(executors(runs), name="hand", role="specialist", slots=5)
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await runs.next()

    rows = {row["NAME"]: row for row in table(await verb("get", "nodes", "-o", "wide"))}
    hand = next(node for node in read(await verb("get", "node", "--json")) if node["name"] == "hand")
    described = await verb("describe", "node", "ha")
    gate.open()
    await end_of(swarm, request)

    assert (
        rows["hand"].items()
        >= {
            "ROLE": "specialist",
            "STATUS": "online",
            "CAPABILITIES": "noop",
            "TASKS": "1",
            "SLOTS": "5",
        }.items()
    )
    assert (
        rows["lead"].items()
        >= {"ROLE": "coordinator", "STATUS": "online", "TASKS": "0", "AGENTS": "0"}.items()
    )
    assert rows["hand"]["LAST HEARTBEAT"] == "0s ago"
    assert (hand["tasks"], hand["used"], hand["slots"]) == ([f"{request}.{STEP}"], 1, 5)
    assert f"  {request}.{STEP}" in described.stdout


async def test_a_task_nobody_serves_is_shown_as_unroutable_with_the_nearest_and_can_be_cancelled(
    lab: Lab, verb: Verb
) -> None:
    await lab.coordinator(name="lead")
    await lab.worker(executors(Runs("security")), name="hand")
    swarm = await lab.door()
    request = await ask(swarm, "look\x1b[2J here", demand="securty")
    await wait_for_async(lambda: _has(swarm, request, "queued"))

    [task] = table(await verb("get", "tasks"))
    described = await verb("describe", "task", request[:6])
    listed = table(await verb("get", "requests"))
    unfinished = await verb("result", request)
    cancelled = await verb("cancel", f"{request[2:8]}.{STEP}", "--why", "a slip")
    await end_of(swarm, request)
    again = await verb("cancel", request)
    result = await verb("result", f"{request}.{STEP}")

    assert (task["ID"], task["AGENT"], task["STATUS"]) == (f"{request}.{STEP}", "securty", "unroutable")
    assert "unroutable: no node offers securty (did you mean security?); nearest: hand" in described.stdout
    assert "Lane:            securty: place 1 of 1, 0 in flight" in described.stdout
    assert (listed[0]["STATUS"], listed[0]["TASKS"], listed[0]["OWNER"]) == ("running", "0/1", "lead")
    assert "\x1b" not in listed[0]["TEXT"]
    assert (unfinished.returncode, unfinished.stdout) == (4, "")
    assert "has not finished yet" in unfinished.stderr
    assert cancelled.stdout == f"{request}.{STEP} cancelled\n"
    assert await kinds(swarm, request, STEP) == ["queued", "cancelled"]
    assert "already: nothing to cancel" in again.stdout
    assert again.returncode == 0
    assert result.returncode == 1
    assert "ended cancelled: person: a slip" in result.stderr


async def _has(swarm: Any, request: str, kind: str) -> bool:
    return kind in await kinds(swarm, request, STEP)


async def test_cancelling_a_request_stops_what_runs_and_what_waits(lab: Lab, verb: Verb) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator(template("two", step("first"), step("last", after=("first",))))
    await lab.worker(executors(runs))
    swarm = await lab.door()
    request = await ask(swarm, template="two")
    await runs.next()

    waiting = await verb("describe", "task", f"{request}.last")
    ran = await verb("cancel", request, "--why", "enough\x1b[2J")
    await wait_for_async(lambda: runs.cancelled == [f"{request}.first"])
    described = read(await verb("describe", "request", request, "--json"))

    assert "Reason:          waits for first" in waiting.stdout
    assert (ran.returncode, ran.stdout) == (0, f"{request} ended cancelled\n")
    assert described["request"]["status"] == "cancelled"
    assert described["planned"] == {"by": "template", "template": "two"}
    assert [task["state"] for task in described["tasks"]] == ["cancelled", "cancelled"]
    whats = [entry["what"] for entry in described["history"] if not entry["step"]]
    assert whats == ["accepted", "planned", "cancelling", "cancelled"]
    first = [entry for entry in described["history"] if entry["step"] == "first"]
    assert [(entry["what"], entry["attempt"]) for entry in first] == [
        ("queued", 1),
        ("running", 1),
        ("cancelled", None),
    ]


async def test_cancelling_a_task_that_runs_stops_its_job_and_the_request_goes_on_without_it(
    lab: Lab, verb: Verb
) -> None:
    runs, gate = Runs(do=Gate()), Gate()
    other = Runs("other", do=gate)
    await lab.coordinator(template("two", step("first"), step("second", "other")))
    await lab.worker(executors(runs, other))
    swarm = await lab.door()
    request = await ask(swarm, template="two")
    await runs.next()
    await other.next()

    ran = await verb("cancel", f"{request}.first")
    await wait_for_async(lambda: runs.cancelled == [f"{request}.first"], 5)
    gate.open()
    ended = await end_of(swarm, request)

    assert ran.stdout == f"{request}.first cancelled\n"
    assert await kinds(swarm, request, "first") == ["queued", "started", "cancelled"]
    assert (ended.head.state, ended.head.partial) == ("done", True)
    assert other.ended == [f"{request}.second"]


async def test_a_request_in_the_inbox_is_listed_told_why_and_withdrawn(lab: Lab, verb: Verb) -> None:
    swarm = await lab.door()
    request = await ask(swarm, "nobody is there", demand="noop")

    [row] = table(await verb("get", "requests"))
    described = await verb("describe", "request", request)
    ran = await verb("cancel", request)
    [after] = table(await verb("get", "requests"))
    inbox = await swarm.wire.api(f"STREAM.INFO.{swarm.names.requests}")
    # It lives in memory, and a server that has just been started again has none.
    await swarm.wire.api(f"STREAM.DELETE.{swarm.names.members}")
    nobody = await verb("get", "nodes")
    await lab.coordinator()
    later = await verb("cancel", request)

    assert (row["ID"], row["STATUS"], row["TASKS"], row["TEXT"]) == (
        request,
        "queued",
        "0/?",
        "nobody is there",
    )
    assert "no coordinator is alive: start one with `picoclaw --swarm.role coordinator`" in described.stdout
    assert ran.stdout == f"{request} cancelled: no coordinator had taken it yet\n"
    assert (after["STATUS"], after["TEXT"]) == ("cancelled", "nobody is there")
    assert inbox["state"]["messages"] == 0
    assert nobody.stdout.startswith("no nodes: start one")
    assert await kinds(swarm, request) == ["cancelled"]
    assert later.stdout == f"{request} was cancelled already: nothing to cancel\n"


async def test_a_cancellation_that_nobody_can_carry_out_stands_and_says_why(lab: Lab, verb: Verb) -> None:
    lead = await lab.coordinator(name="lead")
    swarm = await lab.door()
    request = await ask(swarm, demand="nosuch")
    await wait_for_async(lambda: _has(swarm, request, "queued"))
    await lead.crash()

    ran = await verb("cancel", request, "--timeout", "500ms")
    row = table(await verb("get", "requests"))[0]
    stands = (await entries(swarm, request))[-1]
    await lab.coordinator(name="second")
    ended = await end_of(swarm, request)

    assert ran.returncode == 1
    assert "its coordinator lead is offline, and no coordinator is alive" in ran.stderr
    assert row["STATUS"] == "cancelling"
    assert getattr(stands, "owner", "") == "lead"
    assert ended.head.state == "cancelled"


async def test_result_prints_a_report_a_tasks_data_and_what_failed(lab: Lab, verb: Verb) -> None:
    large = {"lines": ["\x1b]0;title\x07 long"] * 20_000}
    await lab.coordinator(template("mixed", step("good", "good"), step("bad", "bad")))
    await lab.worker(
        executors(
            Runs("good", do=returning(Result(summary="all \x1b[31mwell", data=large))),
            Runs("bad", do=raising(FinalError("it broke: mend it"))),
        )
    )
    swarm = await lab.door()
    request = await ask(swarm, template="mixed")
    ended = await end_of(swarm, request)

    report = await verb("result", request)
    good = await verb("result", f"{request}.g")
    data = read(await verb("result", f"{request}.good", "--json"))
    whole = read(await verb("result", request, "--json"))
    bad = await verb("result", f"{request}.bad")

    assert ended.head.partial
    assert (report.returncode, report.stderr) == (0, "")
    assert "it broke: mend it" in report.stdout
    assert "\x1b" not in report.stdout + good.stdout
    assert good.returncode == 0
    assert data["data"] == large
    assert (whole["state"], whole["partial"]) == ("done", True)
    assert whole["report"]
    assert data["summary"] == "all \x1b[31mwell"
    assert bad.returncode == 1
    assert "ended failed: error: it broke: mend it" in bad.stderr


async def test_an_id_that_fits_nothing_or_several_is_refused_and_nothing_changes(
    lab: Lab, verb: Verb
) -> None:
    await lab.coordinator()
    swarm = await lab.door()
    nothing = await verb("result", "r-abc")
    ids = [await ask(swarm, demand="nosuch") for _ in range(2)]
    await wait_for_async(lambda: _all_queued(swarm, ids))

    several = await verb("cancel", "r-")
    wrong = await verb("cancel", "no such thing")
    odd = [await verb("result", typed) for typed in ("..", "*", "Ü.x")]
    step_missing = await verb("describe", "task", f"{ids[0]}.nosuch")

    assert (nothing.returncode, several.returncode, wrong.returncode, step_missing.returncode) == (2, 2, 2, 2)
    assert "there are none yet" in nothing.stderr
    assert "fits 2 requests: " in several.stderr
    assert "no request is called 'no such thing'; the most recent is r-" in wrong.stderr
    assert ["; the most recent is r-" in one.stderr for one in odd] == [True] * 3
    assert [
        "no request is called " + typed in one.stderr
        for one, typed in zip(odd, ("'..'", "'*'", "'Ü.x'"), strict=True)
    ] == [True] * 3
    assert f"no task is called 'nosuch'; {ids[0]} has: {STEP}" in step_missing.stderr
    assert [await kinds(swarm, one, STEP) for one in ids] == [["queued"], ["queued"]]


async def _all_queued(swarm: Any, ids: list[str]) -> bool:
    return all([await kinds(swarm, one, STEP) == ["queued"] for one in ids])


async def test_a_task_behind_others_tells_its_place_in_the_lane(lab: Lab, verb: Verb) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    await lab.coordinator()
    await lab.worker(executors(runs), slots=1)
    swarm = await lab.door()
    first = await ask(swarm, demand="noop")
    await runs.next()
    waiting = []
    for _ in range(2):
        waiting.append(await ask(swarm, demand="noop"))
        await wait_for_async(lambda: _has(swarm, waiting[-1], "queued"))
    await wait_for_async(lambda: _in_tasks(swarm, 3))

    described = [(await verb("describe", "task", one)).stdout for one in waiting]
    data = read(await verb("describe", "task", waiting[1], "--json"))
    gate.open()
    for one in (first, *waiting):
        await end_of(swarm, one)

    assert "waits in lane noop, place 1 of 2 (the only slot is busy)" in described[0]
    assert "waits in lane noop, place 2 of 2 (the only slot is busy)" in described[1]
    assert data["lane"] == {"position": 2, "waiting": 2, "in_flight": 1}


async def _in_tasks(swarm: Any, number: int) -> bool:
    return await in_queue(swarm) == number


async def test_a_task_that_will_be_tried_again_later_says_when_and_why(lab: Lab, verb: Verb) -> None:
    later = raising(RetryableError("the model is full", delay=timedelta(minutes=5)))
    await lab.coordinator()
    await lab.worker(executors(Runs(do=later)))
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")

    async def tried() -> bool:
        return await kinds(swarm, request, STEP) == ["queued", "started", "queued"]

    await wait_for_async(tried)
    described = await verb("describe", "task", request)
    data = read(await verb("describe", "task", request, "--json"))

    assert re.search(
        r"^Reason: +not before (29\d|300) s from now \(.*the model is full", described.stdout, re.MULTILINE
    )
    assert re.search(r"^Attempt: +2 of 3$", described.stdout, re.MULTILINE)
    assert data["not_before"] > data["task"]["changed_at"]
    assert [entry["what"] for entry in data["history"]] == ["queued", "running", "queued"]


async def test_what_strangers_put_on_our_subjects_hides_nothing(lab: Lab, verb: Verb) -> None:
    await lab.coordinator(name="lead")
    swarm = await lab.door()
    names, store = swarm.names, swarm.wire.store
    request = await ask(swarm, demand="nosuch")
    await wait_for_async(lambda: _has(swarm, request, "queued"))
    unknown = "r-" + "a" * 16
    for subject in (
        names.log_of(request, STEP),
        names.log_of(request, "extra"),
        names.log_of("stranger"),
        names.log_of(unknown),
        names.member("stranger"),
    ):
        await store(subject, b"\xff\x00 not ours")
    await store(names.log_of(request, "odd"), Queued(demand="@\x1b[2J", priority=1).to_bytes())

    nodes = table(await verb("get", "nodes"))
    requests = {row["ID"]: row["STATUS"] for row in table(await verb("get", "requests"))}
    tasks = {row["ID"]: row["STATUS"] for row in table(await verb("get", "tasks"))}
    described = await verb("describe", "request", request)
    odd = await verb("describe", "task", f"{request}.odd")

    assert [row["NAME"] for row in nodes] == ["lead"]
    assert requests == {request: "running", unknown: "queued"}
    assert tasks == {
        f"{request}.{STEP}": "unroutable",
        f"{request}.extra": "planned",
        f"{request}.odd": "unroutable",
    }
    assert "foreign" in described.stdout
    assert (described.returncode, odd.returncode) == (0, 0)
    assert "is no demand that a node can meet" in odd.stdout
    assert "\x1b" not in described.stdout + odd.stdout


async def test_lists_are_newest_first_and_bounded(lab: Lab, verb: Verb) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    swarm = await lab.door()
    ids = []
    for number in range(4):
        ids.append(await ask(swarm, f"request {number}", demand="noop"))
        await end_of(swarm, ids[-1])

    two = await verb("get", "requests", "--limit", "2")
    every = table(await verb("get", "requests", "--all"))
    tasks = table(await verb("get", "tasks", "--limit", "3"))
    of_one = read(await verb("get", "tasks", "--request", ids[0], "--json"))

    assert [row["ID"] for row in table(two)] == ids[:1:-1]
    assert two.stderr == "2 more: add --all or --limit\n"
    assert [(row["ID"], row["STATUS"], row["TASKS"]) for row in every] == [
        (one, "done", "1/1") for one in ids[::-1]
    ]
    assert [row["ID"] for row in tasks] == [f"{one}.{STEP}" for one in ids[:0:-1]]
    assert [(task["id"], task["state"], task["attempt"]) for task in of_one] == [
        (f"{ids[0]}.{STEP}", "done", 1)
    ]


async def test_a_swarm_that_is_not_there_is_told_with_its_address_and_source(
    lab: Lab, verb: Verb, run_picoclaw: RunPicoclaw
) -> None:
    no_hid = await verb("get", "nodes")
    no_server = await asyncio.to_thread(
        run_picoclaw, "get", "nodes", "--swarm.nats.urls", "nats://127.0.0.1:1"
    )

    assert no_hid.returncode == 1
    assert (
        f"no swarm with H-id {lab.hid!r} has ever run on the NATS server at {lab.nats.urls[0]}"
        in no_hid.stderr
    )
    assert "from flag --swarm.nats.urls" in no_hid.stderr
    assert no_server.returncode == 3
    assert "nats://127.0.0.1:1 (from flag --swarm.nats.urls)" in no_server.stderr
