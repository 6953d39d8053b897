"""Lists and descriptions of the real command, on a swarm whose tasks do what the test tells them."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from picoclaw.errors import RetryableError
from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.executors import Gate, Runs, executors, raising
from picoclaw.tests.support.swarm import STEP, Lab, ask, end_of, in_queue, kinds, step, template
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


def words(ran: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """The cells of a table, its header first."""
    assert ran.returncode == 0, ran.stderr
    return [[cell.strip() for cell in line.split("   ") if cell] for line in ran.stdout.splitlines()]


def read(ran: subprocess.CompletedProcess[str]) -> Any:
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


async def test_every_list_while_one_task_runs_others_wait_and_nobody_serves_one(lab: Lab, verb: Verb) -> None:
    gate = Gate()
    runs = Runs(do=gate)
    many = template("many", *(step(f"s{number}") for number in range(6)))
    await lab.coordinator(many, name="lead")
    await lab.worker(
        executors(runs, Runs("model", ready=False)), name="hand", slots=1, capabilities=["noop", "model"]
    )
    swarm = await lab.door()
    busy = await ask(swarm, "six of them", template="many", priority=2)
    await runs.next()
    lost = await ask(swarm, "nobody", demand="noop@site=moon")

    async def settled() -> bool:
        return await in_queue(swarm) == 4 and await kinds(swarm, lost, STEP) == ["queued"]

    await wait_for_async(settled)

    lanes = words(await verb("get", "lanes"))
    wide = {row["lane"]: row for row in read(await verb("get", "lanes", "--json"))}
    able = words(await verb("get", "caps"))
    nodes = words(await verb("get", "no"))
    tasks = words(await verb("get", "tasks"))
    some = await verb("get", "tasks", "--status", "planned", "-o", "name")
    held = await verb("get", "tasks", "--node", "hand", "-o", "name")
    labelled = await verb("get", "tasks", "-l", "site=moon", "-o", "name")
    ready = await verb("get", "nodes", "--status", "Ready,busy", "--role", "worker", "-o", "name")
    described = await verb("describe", lost[:8])
    near = read(await verb("describe", "task", lost, "--json"))["nodes"]
    node = await verb("describe", "hand")
    gate.open()
    await end_of(swarm, busy)
    ended = read(await verb("describe", "node", "hand", "--json"))

    assert lanes[0] == ["LANE", "QUEUED", "IN FLIGHT", "OLDEST", "NODES", "FREE", "PRIORITIES"]
    assert {line[0]: [*line[1:3], *line[4:]] for line in lanes[1:]} == {
        "noop": ["2", "1", "1", "0/1", "high:2"],
        "noop@site=moon": ["1", "0", "0", "0/0", "normal:1"],
    }
    assert (wide["noop"]["planned"], wide["noop"]["nodes"]) == (3, ["hand"])
    assert 0 <= wide["noop"]["oldest_s"] < 60
    assert able == [
        ["CAPABILITY", "NODES", "FREE", "WAITING", "NOT READY"],
        ["model", "0", "0/0", "0", "hand: a test that makes it ready"],
        ["noop", "1", "0/1", "3", "-"],
    ]
    assert nodes[0] == ["NAME", "STATUS", "AGENTS", "TASKS", "LAST HEARTBEAT"]
    assert [line[:4] for line in nodes[1:]] == [["hand", "busy", "1", "1"], ["lead", "online", "0", "0"]]
    assert tasks[0] == ["ID", "AGENT", "NODE", "STATUS", "CREATED"]
    assert [line[1:4] for line in tasks[1:3]] == [
        ["noop@site=moon", "-", "unroutable"],
        ["noop", "hand", "running"],
    ]
    assert some.stdout.split() == [f"{busy}.s{number}" for number in range(3, 6)]
    assert held.stdout.split() == [f"{busy}.s0"]
    assert labelled.stdout.split() == [f"{lost}.{STEP}"]
    assert ready.stdout.split() == ["hand"]
    assert described.stdout.startswith(f"ID:              {lost}\n")
    assert near == [{"node": "hand", "status": "busy", "free": 0, "slots": 1, "lacks": ["label site=moon"]}]
    assert "Active Tasks:    1" in node.stdout
    assert "Not ready:       model: a test that makes it ready" in node.stdout
    assert (ended["completed"], ended["ended"], len(ended["recent"])) == (6, 6, 6)


async def test_dead_letters_are_listed_and_shown_with_what_they_were_to_do(lab: Lab, verb: Verb) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs(do=raising(RetryableError("no luck\x1b[2J")))), name="hand")
    swarm = await lab.door()
    nothing = await verb("dlq", "list")
    request = await ask(swarm, "dig\x1b[2J here", demand="noop", max_attempts=1, input={"depth": 3})
    await end_of(swarm, request)
    await swarm.wire.store(swarm.names.dead_letter("r-stranger", STEP), b"\xff not ours")

    async def buried() -> bool:
        return bool(read(await verb("dlq", "list", "--json")))

    await wait_for_async(buried)
    listed = words(await verb("dlq", "list"))
    [form] = read(await verb("dlq", "list", "--json"))
    shown = await verb("dlq", "show", request[2:9])
    whole = read(await verb("dlq", "show", f"{request}.t", "--json"))
    wrong = await verb("dlq", "show", "r-zzzz")

    assert nothing.stdout == "no dead letters: no task has used up its attempts\n"
    assert [line[:3] for line in listed] == [["ID", "AGENT", "ATTEMPTS"], [f"{request}.{STEP}", "noop", "1"]]
    assert (form["id"], form["node"], form["attempts"]) == (f"{request}.{STEP}", "hand", 1)
    assert 'Input:           {"depth": 3}' in shown.stdout
    assert "\x1b" not in shown.stdout
    assert whole["input"] == {"text": "dig\x1b[2J here", "depth": 3}
    assert whole["error"] == form["error"]
    assert wrong.returncode == 2
    assert "no dead letter is called 'r-zzzz'; see `picoclaw dlq list`" in wrong.stderr


async def test_what_fits_nothing_or_several_names_what_there_is(lab: Lab, verb: Verb) -> None:
    await lab.coordinator(name="r-lead")
    await lab.worker(executors(Runs()), name="hand-1")
    await lab.worker(executors(Runs()), name="hand-2")
    swarm = await lab.door()
    request = await ask(swarm, demand="nosuch")
    await wait_for_async(lambda: _queued(swarm, request))

    several = await verb("describe", "hand")
    both = await verb("describe", "r-")
    nothing = await verb("describe", "hnad-1")
    status = await verb("get", "tasks", "--status", "runing")
    two = await verb("get", "nodes", "--json", "-o", "wide")
    kind = await verb("describe", "taks", request)
    get = await verb("get", request)
    one = await verb("describe", "r-lea")
    await lab.worker(executors(Runs()), name=request[:6])
    whole = await verb("describe", request[:6])

    assert {ran.returncode for ran in (several, both, nothing, status, two, kind, get)} == {2}
    assert "'hand' fits 2 nodes: hand-1, hand-2; type more of it" in several.stderr
    assert f"'r-' fits {request} as well as node r-lead: type more of it" in both.stderr
    assert "no node is called that either, the nearest is hand-1" in nothing.stderr
    assert "did you mean 'running'?" in status.stderr
    assert "--json and -o wide do not go together" in two.stderr
    assert "'taks' is none of: agent, request, task, node; did you mean 'tasks'?" in kind.stderr
    assert f"did you mean `picoclaw describe {request}`?" in get.stderr
    assert one.stdout.startswith("Name:            r-lead\n")
    assert whole.stdout.startswith(f"Name:            {request[:6]}\n")


async def _queued(swarm: Any, request: str) -> bool:
    return await kinds(swarm, request, STEP) == ["queued"]
