"""Lanes, capabilities and near nodes as people are shown them."""

import pytest

from picoclaw.swarm.demand import Offer, parse_demand
from picoclaw.swarm.fold import RequestHead, TaskHead
from picoclaw.swarm.records import Plan, Task
from picoclaw.swarm.views.capabilities import capability_rows
from picoclaw.swarm.views.lanes import LaneDepth, lane_rows, planned_by_demand
from picoclaw.swarm.views.near import near_rows
from picoclaw.swarm.views.nodes import Around, NodeRow
from picoclaw.swarm.views.requests import RequestState

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


def node(name: str, *capabilities: str, used: int = 0, role: str = "worker", **given: object) -> NodeRow:
    known = {
        "status": "online", "slots": 3, "heard_s": 1.0, "tasks": tuple("abc"[:used]),
        "offer": Offer(node=name, role=role, capabilities=frozenset(capabilities)),
    }  # fmt: skip
    return NodeRow(name=name, role=role, capabilities=capabilities, **(known | given))  # type: ignore[arg-type]


AROUND = Around(
    nodes=(
        node("a", "python", "docs", used=2),
        node("b", "docs", used=3, not_ready={"research": "needs a model"}),
        node("gone", "docs", status="offline"),
        node("lead", role="coordinator"),
    ),
    now=1000.0,
)
CODE = LaneDepth(demand=parse_demand("code"), queued={1: 4, 3: 1}, in_flight=2, oldest_at=940.0)
EMPTY = LaneDepth(demand=parse_demand("docs"), queued={1: 0})


def test_a_lane_counts_what_waits_and_who_serves_it_the_fullest_first() -> None:
    first, second = lane_rows([EMPTY, CODE], AROUND)

    assert (first.lane, first.queued, first.in_flight, first.oldest_s) == ("code", 5, 2, 60.0)
    assert (first.nodes, first.free, first.slots, first.planned) == (("a",), 1, 3, None)
    assert (second.lane, second.oldest_s, second.nodes, second.free) == ("docs", None, ("a", "b"), 1)


def test_what_is_planned_stands_behind_its_lane_even_where_there_is_none_yet() -> None:
    tasks = tuple(Task(step=f"s{n}", demand=demand) for n, demand in enumerate(["code", "code", "gpu"]))
    open_ = RequestState(
        id="r",
        created_at=0.0,
        head=RequestHead(seq=1, state="running", accepted=True),
        plan=Plan(tasks=tasks),
        heads={"s0": TaskHead(seq=1, state="queued")},
    )
    over = RequestState(id="o", created_at=0.0, head=RequestHead(seq=1, state="done"), plan=Plan(tasks=tasks))

    planned = planned_by_demand([open_, over])
    rows = {row.lane: row for row in lane_rows([CODE], AROUND, planned)}

    assert planned == {"code": 1, "gpu": 1}
    assert (rows["code"].planned, rows["gpu"].planned, rows["gpu"].nodes) == (1, 1, ())


def test_capabilities_say_who_has_them_who_lacks_what_and_what_waits() -> None:
    rows = {row.capability: row for row in capability_rows(AROUND, lane_rows([CODE], AROUND))}

    assert list(rows) == ["code", "docs", "python", "research"]
    assert (rows["code"].nodes, rows["code"].waiting) == (("a",), 5)
    assert (rows["docs"].nodes, rows["docs"].free, rows["docs"].slots) == (("a", "b"), 1, 6)
    assert (rows["research"].nodes, rows["research"].not_ready) == ((), {"b": "needs a model"})


def test_near_nodes_come_first_and_tell_what_each_lacks_and_what_that_needs() -> None:
    rows = near_rows("docs+research", AROUND)

    assert [(row.node, row.lacks) for row in rows] == [
        ("a", ("capability research",)),
        ("b", ("capability research (declared: needs a model)",)),
    ]
    assert near_rows("@\x1b", AROUND) == []
