"""What people are shown of nodes, and why requests and tasks wait."""

from dataclasses import replace

import pytest

from picoclaw.swarm.demand import Offer
from picoclaw.swarm.entries import Accepted, Cancelled, Dead, Done, Failed, Queued, Started
from picoclaw.swarm.fold import RequestHead, TaskHead
from picoclaw.swarm.membership.liveness import NodeStatus, Sign
from picoclaw.swarm.records import Delivery, Plan, Request, Result, State, Task
from picoclaw.swarm.views.history import history_row
from picoclaw.swarm.views.nodes import Around, NodeRow, seen_status
from picoclaw.swarm.views.requests import RequestState, last_head, request_row, task_rows
from picoclaw.swarm.views.waiting import LanePlace, waits_in_inbox, why_request_waits, why_task_waits

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

RUNNING = RequestHead(seq=2, state="running", accepted=True, owner="lead", run="r1", planned=True)


def node(
    name: str,
    *capabilities: str,
    role: str = "worker",
    status: NodeStatus = "online",
    used: int = 0,
    run: str = "r1",
) -> NodeRow:
    offer = Offer(node=name, role=role, capabilities=frozenset(capabilities))
    tasks = tuple(str(number) for number in range(used))
    return NodeRow(
        name=name, role=role, status=status, capabilities=capabilities, slots=2, heard_s=1, run=run,
        offer=offer, tasks=tasks,
    )  # fmt: skip


LEAD = node("lead", role="coordinator")
WORKER = node("worker", "code")
AROUND = Around(nodes=(LEAD, WORKER), now=1000.0)


def queued(demand: str = "code", **given: object) -> TaskHead:
    return TaskHead(seq=3, state="queued", attempt=1, demand=demand, **given)  # type: ignore[arg-type]


def why(
    head: TaskHead, task: Task | None = None, around: Around = AROUND, place: LanePlace | None = None
) -> str:
    return why_task_waits(head, task, RUNNING, {"up": TaskHead(seq=1, state="running")}, around, place)


@pytest.mark.parametrize(
    ("sign", "status", "reason"),
    [
        ({}, "online", ""),
        ({"used": 3}, "busy", ""),
        ({"draining": True}, "draining", ""),
        ({"goodbye": True}, "offline", "it left the swarm"),
        ({"absent_since": 99.0}, "offline", "its connection is gone"),
        ({"silent_probe": True}, "suspicious", "it does not answer"),
        ({"last_heard": 70.0}, "suspicious", "no heartbeat for 30 s"),
        ({"last_heard": 20.0}, "offline", "no heartbeat for 80 s"),
    ],
)
def test_status_as_one_look_shows_it(sign: dict[str, float], status: str, reason: str) -> None:
    known = {"last_heard": 95.0, "interval": 10.0, "timeout": 60.0, "slots": 5, "used": 0}

    assert seen_status(Sign(**(known | sign)), 100.0) == (status, reason)  # type: ignore[arg-type]


def test_a_queued_task_that_nobody_serves_is_unroutable_with_the_nearest_name() -> None:
    said = why(queued("cod"))

    assert said.startswith("unroutable: no node offers cod (did you mean code?)")


@pytest.mark.parametrize("status", ["offline", "draining"])
def test_a_node_that_takes_no_work_serves_nothing(status: NodeStatus) -> None:
    around = Around(nodes=(LEAD, node("worker", "code", status=status)), now=0.0)

    assert why(queued(), around=around).startswith("unroutable: ")


def test_a_queued_task_tells_its_place_and_whether_slots_are_free() -> None:
    busy = Around(nodes=(LEAD, node("worker", "code", used=2)), now=0.0)
    place = LanePlace(position=3, waiting=7, in_flight=2)

    assert why(queued(), place=place) == "waits in lane code, place 3 of 7 (2 of 2 slots free)"
    assert why(queued(), around=busy) == "waits in lane code (all 2 slots are busy)"


def test_a_retry_says_when_and_why() -> None:
    head = queued(not_before=1012.0, reason="error: no route to host")

    assert why(head) == "not before 12 s from now (error: no route to host)"
    assert why(queued(not_before=999.0, reason="node offline: x")).endswith("; node offline: x")


def test_a_planned_task_waits_for_its_upstream_then_for_room() -> None:
    after = Task(step="last", demand="code", after=("up",))

    assert why(TaskHead(), after) == "waits for up"
    assert why(TaskHead(), Task(step="free", demand="code")) == "waits for room in its lane"
    assert why(TaskHead(), Task(step="free", demand="nosuch")).startswith("unroutable: ")


def test_a_running_task_is_told_of_only_when_its_holder_is_gone() -> None:
    held = TaskHead(seq=4, state="running", node="worker", run="r1")
    lost = TaskHead(seq=4, state="running", node="worker", run="an earlier one")

    assert why(held) == ""
    assert why(lost) == "its node worker is offline: another attempt follows"


def test_a_request_waits_for_a_coordinator() -> None:
    nobody = Around(nodes=(WORKER,), now=0.0)
    another = Around(nodes=(node("second", role="coordinator"),), now=0.0)

    assert why_request_waits(RequestHead(), nobody).startswith("no coordinator is alive: start one")
    assert why_request_waits(RequestHead(), AROUND) == "waits in the inbox for a coordinator with room"
    assert why_request_waits(RUNNING, AROUND) == ""
    assert "lead is offline, and no coordinator is alive" in why_request_waits(RUNNING, nobody)
    assert why_request_waits(RUNNING, another) == "its coordinator lead is offline: another one takes it over"
    assert why_request_waits(RequestHead(state="done"), nobody) == ""


def state(head: RequestHead, heads: dict[str, TaskHead]) -> RequestState:
    tasks = (
        Task(step="a", demand="code"),
        Task(step="b", demand="nosuch"),
        Task(step="c", demand="code", after=("a",)),
    )
    asked = Request(id="r-x", key_digest="", text="do it")
    return RequestState(
        id="r-x", created_at=900.0, head=head, request=asked, plan=Plan(tasks=tasks), heads=heads
    )


def test_the_rows_of_a_request_stand_in_the_plans_order_and_show_unroutable_as_a_status() -> None:
    rows = task_rows(
        state(RUNNING, {"a": TaskHead(seq=3, state="done", node="worker", attempt=1, at=950.0)}), AROUND
    )

    assert [(row.id, row.state, row.status) for row in rows] == [
        ("r-x.a", "done", "done"),
        ("r-x.b", "planned", "unroutable"),
        ("r-x.c", "planned", "planned"),
    ]
    assert rows[0].changed_at == 950.0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (RequestHead(seq=4, state="running", accepted=True, cancelling="enough", owner="lead"), "cancelling"),
        (RequestHead(seq=9, state="done", partial=True), "done(partial)"),
        (RequestHead(seq=9, state="failed", reason="plan: no"), "failed"),
    ],
)
def test_the_status_of_a_request(head: RequestHead, status: str) -> None:
    row = request_row(state(head, {"a": TaskHead(seq=3, state="dead")}), AROUND)

    assert row.status == status
    assert (row.done, row.total) == (1, 3)


def test_a_request_that_is_not_planned_has_no_total() -> None:
    row = request_row(RequestState(id="r-x", created_at=1.0), AROUND)

    assert (row.state, row.done, row.total) == ("queued", 0, None)


@pytest.mark.parametrize(
    ("entry", "state", "node", "attempt"),
    [
        (Done(node="n", attempt=2, result=Result()), "done", "n", 2),
        (Failed(reason="error", error="no", node="n", attempt=3), "failed", "n", 3),
        (Dead(error="no", node="n", attempt=3), "dead", "n", 3),
        (Cancelled(reason="person", why="no"), "cancelled", "", 0),
    ],
)
def test_the_last_entry_alone_tells_who_ended_a_task_and_at_which_attempt(
    entry: Done | Failed | Dead | Cancelled, state: State, node: str, attempt: int
) -> None:
    head = last_head(entry, 7, 1.0)

    assert (head.state, head.node, head.attempt, head.seq) == (state, node, attempt, 7)


def test_history_tells_who_what_and_why() -> None:
    started = Started(
        by="n", node="n", run="r", attempt=2, demand="code", priority=1,
        delivery=Delivery(seq=5, count=3), ack="", beat=1,
    )  # fmt: skip
    retry = Queued(by="lead", demand="code", priority=1, attempt=2, reason="error: x", not_before=1090.0)
    accepted = Accepted(by="lead", owner="lead", run="r", request=Request(id="r-x", key_digest="", text=""))

    rows = [history_row(entry, seq=1, at=1000.0, step="s") for entry in (started, retry, accepted, None)]

    assert [(row.what, row.attempt, row.node, row.by, row.reason) for row in rows] == [
        ("running", 2, "n", "n", "delivery 3"),
        ("queued", 2, "", "lead", "error: x; not before 90 s later"),
        ("accepted", None, "lead", "lead", ""),
        ("foreign", None, "", "", "a message that is no entry of ours; ignored"),
    ]


def test_who_waits_for_a_coordinator_hears_that_a_worker_takes_the_role() -> None:
    nobody = Around(nodes=(WORKER,), now=0.0)
    soon = Around(nodes=(replace(WORKER, promotable=True),), now=0.0)
    many = Around(nodes=(*soon.nodes, replace(WORKER, name="other", promotable=True)), now=0.0)
    led = Around(nodes=(replace(WORKER, leads=True, promotable=True),), now=0.0)
    inbox = RequestHead()
    assert why_request_waits(inbox, nobody).startswith("no coordinator is alive: start one")
    assert why_request_waits(inbox, soon).startswith(
        f"no coordinator is alive: {WORKER.name} takes the role soon"
    )
    assert "one of 2 workers takes the role soon" in why_request_waits(inbox, many)
    assert "coordinator with room" in why_request_waits(inbox, led)
    assert waits_in_inbox(nobody.successors) == (
        "no coordinator is alive: it waits in the inbox; start one with --swarm.role coordinator"
    )
    assert f"until {WORKER.name} takes the role, or start one" in waits_in_inbox(soon.successors)
