"""The proof from the log: it holds for what is right, and names each promise that a planted fault breaks."""

from collections.abc import Callable
from typing import Any

import pytest

from picoclaw.swarm.entries import (
    Accepted,
    Cancelled,
    Dead,
    Done,
    Entry,
    Failed,
    Owner,
    Planned,
    Queued,
    Started,
)
from picoclaw.swarm.proof import SUPERSEDED, Effect, History, Written, prove
from picoclaw.swarm.records import Delivery, Plan, Request, Result, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

R = "r-abcdefghijklmnop"
REQUEST = Request(id=R, key_digest="0", text="x")
PLAN = Plan(tasks=(Task(step="a", demand="x"), Task(step="b", demand="x")))
Log = list[tuple[str, Entry | None]]


def queued(attempt: int = 1, reason: str = "released") -> Queued:
    return Queued(attempt=attempt, demand="x", priority=1, reason=reason)


def started(attempt: int = 1, run: str = "run-1", node: str = "w-1") -> Started:
    return Started(
        node=node,
        run=run,
        attempt=attempt,
        demand="x",
        priority=1,
        delivery=Delivery(seq=1, count=1),
        ack="",
        beat=1,
    )


def done(attempt: int = 1, run: str = "run-1", **more: Any) -> Done:
    return Done(node="w-1", run=run, attempt=attempt, result=Result(), **more)


def right() -> Log:
    """Two tasks; `a` is taken from a dead node in the middle, and the request gets another owner."""
    return [
        ("_", Accepted(owner="l", run="l-1", request=REQUEST)),
        ("_", Planned(owner="l", run="l-1", plan=PLAN)),
        ("a", queued()),
        ("a", started()),
        ("b", queued()),
        ("_", Owner(owner="m", run="m-1")),
        ("a", queued(2, "node offline: w-1")),
        ("b", started(run="run-2")),
        ("a", started(2, "run-2")),
        ("b", done(run="run-2")),
        ("a", done(2, "run-2")),
        ("_", Done(node="m", run="m-1", result=Result())),
    ]


EFFECTS = {f"{R}.a": Effect(2, 1), f"{R}.b": Effect(1, 1)}


def history(log: Log, steps: tuple[str, ...] = ("a", "b")) -> History:
    return History(R, steps, tuple(Written(step, seq, entry) for seq, (step, entry) in enumerate(log, 1)))


def test_what_is_right_is_proven() -> None:
    proof = prove([history(right())], EFFECTS)

    assert proof.holds
    assert (proof.tasks.accepted, proof.tasks.finished, proof.tasks.doubled, proof.tasks.lost) == (2, 2, 0, 0)
    assert (proof.requests.accepted, proof.requests.finished) == (1, 1)
    assert (proof.attempts, dict(proof.again), dict(proof.states)) == (
        3,
        {"node offline: w-1": 1},
        {"done": 2},
    )
    assert proof.effects == Effect(3, 2)


def test_nothing_at_all_is_nothing_accepted() -> None:
    proof = prove([], {})
    assert (proof.holds, proof.tasks.accepted, proof.effects) == (True, 0, Effect())


@pytest.mark.parametrize(
    "end",
    [Failed(reason="error", error="e"), Cancelled(reason="person", why="w"), Dead(attempt=1, error="e")],
)
def test_every_kind_of_end_is_one(end: Entry) -> None:
    log = right()
    log[9] = ("b", end)
    proof = prove([history(log)])
    assert proof.holds
    assert dict(proof.states) == {"done": 1, end.kind: 1}


def test_a_later_delivery_that_takes_the_task_is_a_reason_too() -> None:
    log = right()
    del log[6]
    proof = prove([history(log)])
    assert (proof.holds, dict(proof.again)) == (True, {SUPERSEDED: 1})


def test_a_result_that_was_carried_over_needs_no_holder() -> None:
    log: Log = [
        *right()[:2],
        ("a", done(run="", carried="r-earlier")),
        ("b", done(run="", carried="r-earlier")),
    ]
    assert prove([history([*log, right()[-1]])]).holds


def drop(index: int) -> Callable[[Log], Log]:
    return lambda log: [*log[:index], *log[index + 1 :]]


def insert(index: int, step: str, entry: Entry | None) -> Callable[[Log], Log]:
    return lambda log: [*log[:index], (step, entry), *log[index:]]


def put(index: int, step: str, entry: Entry) -> Callable[[Log], Log]:
    return lambda log: [*log[:index], (step, entry), *log[index + 1 :]]


FAULTS: list[tuple[str, Callable[[Log], Log], str]] = [
    ("a lost task", drop(9), "tasks lost"),
    ("a second end", insert(11, "b", done(run="run-2")), "tasks doubled"),
    ("an end of another kind after the end", insert(11, "a", Failed(reason="error", error="late")), "tasks doubled"),
    ("a lost request", drop(11), "requests lost"),
    ("a request that ends twice", insert(12, "_", Done(node="l", run="l-1", result=Result())), "requests doubled"),
    ("a request that ends too early", lambda log: [*log[:9], log[11], *log[9:11]], "it ended before its task"),
    ("an end by the fenced run", put(10, "a", done(1, "run-1")), "ended it without holding it"),
    ("an end by nobody", insert(9, "b", queued(2, "handed back")), "ended it without holding it"),
    ("an attempt nobody gave leave for", insert(4, "a", started(1, "run-9")), "attempt 1 began without a reason"),
    ("an attempt that was skipped", put(8, "a", started(3, "run-2")), "attempt 3 began without a reason"),
    ("an attempt again without a word", put(6, "a", queued(2, "")), "attempt 2 began without a reason"),
    ("a start before any release", drop(4), "attempt 1 began without a reason"),
    ("a foreign message", insert(3, "a", None), "is no entry"),
    ("a task of no plan", insert(3, "c", queued()), "it is in no plan"),
    ("no beginning", drop(0), "does not begin with `accepted`"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("plant", "says"), [(plant, says) for _, plant, says in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_each_planted_fault_is_found_and_named(plant: Callable[[Log], Log], says: str) -> None:
    proof = prove([history(plant(right()))], EFFECTS)

    assert not proof.holds
    what, _, how = says.partition(" ")
    if what in ("tasks", "requests") and how in ("lost", "doubled"):
        assert getattr(getattr(proof, what), how) == 1
    else:
        assert any(says in broken for broken in proof.broken), proof.broken


@pytest.mark.parametrize(
    ("effects", "says"),
    [
        (
            {f"{R}.a": Effect(3, 1), f"{R}.b": Effect(1, 1)},
            "its job began 3 times, and the log gave leave for 2",
        ),
        ({f"{R}.a": Effect(2, 0), f"{R}.b": Effect(1, 1)}, "it is done, and its job never came to its end"),
        ({f"{R}.a": Effect(2, 1)}, "it is done, and its job never came to its end"),
        ({**EFFECTS, f"{R}.c": Effect(1, 1)}, "its job ran, and no log knows of it"),
        ({**EFFECTS, f"{R}.b": Effect(0, 1)}, "its job ended 1 times, and began 0"),
    ],
)
def test_the_jobs_own_record_has_to_fit_the_log(effects: dict[str, Effect], says: str) -> None:
    proof = prove([history(right())], effects)
    assert not proof.holds
    assert any(says in broken for broken in proof.broken)


def test_work_done_twice_with_leave_is_no_fault_and_is_counted() -> None:
    """The worker died after the work and before the word: at least once is what is promised of effects."""
    proof = prove([history(right())], {**EFFECTS, f"{R}.a": Effect(2, 2)})
    assert proof.holds
    assert proof.effects == Effect(3, 3)
