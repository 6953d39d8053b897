"""Which nodes, tasks and requests a list shows."""

import pytest

from picoclaw.errors import NameRefused, UsageError
from picoclaw.swarm.views.filters import Filter, Kind, read_capabilities, read_labels, read_statuses
from picoclaw.swarm.views.nodes import NodeRow
from picoclaw.swarm.views.requests import RequestRow, TaskRow

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

NODE = NodeRow(
    name="hand",
    role="worker",
    status="busy",
    capabilities=("python",),
    not_ready={"research": "needs a model"},
    labels={"site": "berlin", "gpu": ""},
    slots=2,
    heard_s=1,
)


def task(**given: object) -> TaskRow:
    known = {
        "id": "r.a", "request": "r", "step": "a", "title": "", "capability": "docs+security@site=berlin",
        "node": "hand", "state": "queued", "status": "unroutable", "attempt": 1, "changed_at": 0.0,
        "reason": "", "created_at": 0.0, "priority": 1,
    }  # fmt: skip
    return TaskRow(**(known | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (Filter(), True),
        (Filter(statuses=frozenset({"busy"})), True),
        (Filter(statuses=frozenset({"online"})), False),
        (Filter(roles=frozenset({"specialist"})), False),
        (Filter(nodes=frozenset({"hand"})), True),
        (Filter(capabilities=frozenset({"code"})), True),
        (Filter(capabilities=frozenset({"research"})), True),
        (Filter(capabilities=frozenset({"docs"})), False),
        (Filter(labels={"site": "berlin", "gpu": None}), True),
        (Filter(labels={"site": "paris"}), False),
        (Filter(labels={"rack": None}), False),
    ],
)
def test_a_node_has_to_meet_all_of_it(wanted: Filter, shown: bool) -> None:
    assert wanted.node(NODE) is shown


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (Filter(statuses=frozenset({"unroutable"})), True),
        (Filter(statuses=frozenset({"queued"})), False),
        (Filter(capabilities=frozenset({"security"})), True),
        (Filter(capabilities=frozenset({"code"})), False),
        (Filter(labels={"site": "berlin"}), True),
        (Filter(nodes=frozenset({"other"})), False),
    ],
)
def test_a_task_by_what_it_demands(wanted: Filter, shown: bool) -> None:
    assert wanted.task(task()) is shown


def test_a_task_at_a_node_is_found_by_what_it_does_and_a_strangers_demand_by_nothing() -> None:
    docs = Filter(capabilities=frozenset({"docs"}))

    assert docs.task(task(capability="node:hand", does="docs"))
    assert not docs.task(task(capability="@\x1b"))


def test_a_request_done_in_part_is_partial_and_not_done() -> None:
    row = RequestRow(
        id="r", state="done", status="done(partial)", done=1, total=2, owner="lead", created_at=0.0,
        changed_at=0.0, priority=1, text="", reason="",
    )  # fmt: skip

    assert Filter(statuses=read_statuses("request", ("partial",))).request(row)
    assert Filter(statuses=read_statuses("request", ("completed",))).request(row)
    assert not Filter(statuses=read_statuses("request", ("done",))).request(row)
    assert not Filter(nodes=frozenset({"other"})).request(row)


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        ("node", ("Ready",), {"online", "busy"}),
        ("node", ("offline,notready",), {"offline", "suspicious"}),
        ("task", ("queued",), {"queued", "unroutable"}),
        ("task", ("pending", "running"), {"planned", "queued", "unroutable", "running"}),
        ("request", ("done(partial)",), {"partial"}),
    ],
)
def test_klaws_words_are_taken_too(kind: Kind, given: tuple[str, ...], meant: set[str]) -> None:
    assert read_statuses(kind, given) == meant


def test_words_that_no_such_thing_ever_has_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no task ever has status 'runing'; did you mean 'running'"):
        read_statuses("task", ("runing",))
    with pytest.raises(UsageError, match="write KEY=VALUE"):
        read_labels(("=x",))
    with pytest.raises(NameRefused):
        read_capabilities(("no such",))
    assert read_capabilities(("audit,c++",)) == {"security", "cpp"}
