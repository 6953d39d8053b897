"""The checker names each fault, in words, and finds none in a log that has none."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.entries import (
    Accepted,
    Cancelled,
    Cancelling,
    Dead,
    Done,
    Entry,
    Failed,
    Owner,
    Planned,
    Queued,
    Started,
)
from picoclaw.swarm.records import Delivery, Plan, Request, Result, Retry, Task
from picoclaw.tests.checker import FOR_GOOD, History, JobRecord, Leftover, Violation, Written, check, told
from picoclaw.tests.checker.collect import read_jobs

pytestmark = pytest.mark.unit

R = "r-1"
PLAN = Plan(tasks=(Task(step="a", demand="job"), Task(step="b", demand="job", max_attempts=2)))


def request(name: str = R, **given: Any) -> Request:
    return Request(id=name, key_digest="0", text="x", **given)


def accepted(owner: str = "c1", **given: Any) -> Accepted:
    return Accepted(by=owner, owner=owner, run=f"{owner}#1", request=request(**given))


def planned(owner: str = "c1", plan: Plan = PLAN, revision: int | None = None) -> Planned:
    return Planned(by=owner, owner=owner, run=f"{owner}#1", plan=plan, revision=revision)


def took_over(owner: str) -> Owner:
    return Owner(by=owner, owner=owner, run=f"{owner}#1")


def ended(owner: str = "c1") -> Done:
    return Done(by=owner, node=owner, run=f"{owner}#1", result=Result(summary="report"))


def queued(attempt: int = 1, reason: str = "released", **given: Any) -> Queued:
    return Queued(by="c1", attempt=attempt, demand="job", priority=1, reason=reason, **given)


def started(node: str = "w1", attempt: int = 1, delivery: tuple[int, int] = (1, 1), **given: Any) -> Started:
    return Started(
        by=node, node=node, run=f"{node}#1", attempt=attempt, demand="job", priority=1,
        delivery=Delivery(seq=delivery[0], count=delivery[1]), ack="", beat=1, **given,
    )  # fmt: skip


def done(node: str = "w1", attempt: int = 1) -> Done:
    return Done(by=node, node=node, run=f"{node}#1", attempt=attempt, result=Result(summary="ok"))


def dead(attempt: int, error: str = "it broke") -> Dead:
    return Dead(by="w1", node="w1", attempt=attempt, error=error)


Line = tuple[str, Entry]


def log_of(*lines: Line, request: str = R) -> tuple[Written, ...]:
    return tuple(
        Written(request, step, entry, seq, 100.0 + seq) for seq, (step, entry) in enumerate(lines, 1)
    )


BEGINNING: tuple[Line, ...] = (("_", accepted()), ("_", planned()))
B: tuple[Line, ...] = (("b", queued()), ("b", started("w2")), ("b", done("w2")))
END: Line = ("_", ended())


def with_a(*entries: Entry) -> tuple[Written, ...]:
    """A request whose task `b` ends well, and whose task `a` has these entries."""
    return log_of(*BEGINNING, *B, *(("a", entry) for entry in entries), END)


GOOD = with_a(
    queued(),
    started("w1"),
    queued(2, "node offline: w1"),
    started("w2", 2, (1, 2)),
    queued(3, "drained: its node stopped", excused=1),
    started("w1", 3, (1, 3), excused=1),
    done("w1", 3),
)


def test_a_log_with_losses_drains_and_a_take_over_is_sound() -> None:
    whole = log_of(
        ("_", accepted()),
        ("_", took_over("c2")),
        ("_", planned("c2")),
        *B,
        ("a", queued()),
        ("a", started("w1")),
        ("a", started("w2", 2, (1, 2))),
        ("_", Cancelling(why="enough", owner="c2", run="c2#1")),
        ("a", Cancelled(by="c2", reason="request", why="enough")),
        ("_", Cancelled(by="c2", reason="person", why="enough")),
    )
    jobs = (
        JobRecord("w2", f"{R}.b", 1, 1.0, 2.0, "job", 0, 0),
        JobRecord("w1", f"{R}.a", 1, 1.0, None, "job", 0, 1),
        JobRecord("w2", f"{R}.a", 2, 2.0, 3.0, "job", 0, 0),
    )
    history = History(log=whole, handed_in=(R,), jobs=jobs, slots={"w1": 1, "w2": 1}, caps={"job": 2})
    assert not check(history), told(check(history))
    assert not check(History(log=GOOD)), told(check(History(log=GOOD)))


def test_what_goes_on_is_not_lost_yet() -> None:
    history = History(log=log_of(*BEGINNING, *B, ("a", queued())), leftovers=(Leftover("TASKS", R, "a"),))
    assert not check(history, quiescent=False)
    assert {v.rule for v in check(history)} == {"lost task", "lost request", "left in the queue"}


@dataclass(frozen=True)
class Fault:
    """A fault that is planted in a log, and how it must be named."""

    rule: str
    words: str
    log: tuple[Written, ...] = GOOD
    rest: dict[str, Any] = field(default_factory=dict)
    also: frozenset[str] = frozenset()
    """Rules that the same fault breaks too."""


def job(node: str, task: str, began: float, ended: float | None, **given: Any) -> JobRecord:
    return JobRecord(node, f"{R}.{task}", given.pop("attempt", 1), began, ended, "job", **given)


ONE_EACH = with_a(queued(), started("w1"), done("w1"))
FAULTS = [
    Fault("lost task", "never ended: its last entry is started", with_a(queued(), started()),
          also=frozenset({"ended before its tasks"})),
    Fault("lost task", "r-1.a never ended: it was only planned", log_of(*BEGINNING, *B)),
    Fault("lost task", "r-1.a never ended: its last entry is queued", log_of(*BEGINNING, *B, ("a", queued())),
          also=frozenset({"lost request"})),
    Fault("lost request", "its last entry is planned", log_of(*BEGINNING, *B, ("a", queued()), ("a", started()), ("a", done()))),
    Fault("lost request", "r-2 was handed in", rest={"handed_in": (R, "r-2")}),
    Fault("second end", "r-1.a has done by w1 after its end", with_a(queued(), started(), done(), done())),
    Fault("second end", "r-1 has done by c1 after its end", (*GOOD, Written(R, "_", ended(), 99, 200.0))),
    Fault("entry after the end", "has queued by c1 after its end", with_a(queued(), started(), done(), queued(2)),),
    Fault("stale write", "while w2 held it as attempt 2",
          with_a(queued(), started("w1"), started("w2", 2, (1, 2)), done("w1"))),
    Fault("stale write", "is done by w1, while nobody held it",
          with_a(queued(), started("w1"), queued(2, "node offline: w1"), done("w1"))),
    Fault("stale write", "failed by w1, who did not hold it",
          with_a(queued(), started("w1"), started("w2", 2, (1, 2)), Failed(by="w1", reason="error", error="x", attempt=1, node="w1"))),
    Fault("stale write", "w2 took r-1.a from w1 by an older delivery",
          with_a(queued(), started("w1", 1, (1, 2)), started("w2", 2, (1, 1)), done("w2", 2))),
    Fault("stale write", "c1 ended r-1, which c2 owns",
          log_of(*BEGINNING, ("_", took_over("c2")), *B, ("a", queued()), ("a", started()), ("a", done()), END)),
    Fault("stale write", "c1 planned r-1, which c2 owns",
          log_of(("_", accepted()), ("_", took_over("c2")), ("_", planned("c1")), *B,
                 ("a", queued()), ("a", started()), ("a", done()), ("_", ended("c2")))),
    Fault("stale write", "c1 cancelled r-1, which c2 owns",
          log_of(*BEGINNING, ("_", took_over("c2")), *B, ("a", queued()), ("a", started()), ("a", done()),
                 ("_", Cancelled(by="c1", reason="person", why="x")))),
    Fault("stale write", "c1 ended r-1, which c2 owns",
          log_of(*BEGINNING, ("_", took_over("c2")), *B, ("a", queued()), ("a", started()), ("a", done()),
                 ("_", Failed(by="c1", reason="error", error="x")))),
    Fault("accepted twice", "accepted again by c2",
          log_of(("_", accepted()), ("_", accepted("c2")), ("_", planned("c2")), *B,
                 ("a", queued()), ("a", started()), ("a", done()), ("_", ended("c2")))),
    Fault("never accepted", "got the owner c2",
          log_of(("_", took_over("c2")), ("_", planned("c2")), *B,
                 ("a", queued()), ("a", started()), ("a", done()), ("_", ended("c2")))),
    Fault("planned twice", "planned again by c1",
          log_of(*BEGINNING, ("_", planned()), *B, ("a", queued()), ("a", started()), ("a", done()), END)),
    Fault("planned twice", "planned again by c1",
          log_of(*BEGINNING, ("_", planned(revision=3)), *B, ("a", queued()), ("a", started()), ("a", done()), END)),
    Fault("never planned", "has a later plan, and no first one",
          log_of(("_", accepted()), ("_", planned(revision=2)), *B, ("a", queued()), ("a", started()), ("a", done()), END)),
    Fault("attempts unexplained", "queued again as attempt 2 without a reason",
          with_a(queued(), started(), queued(2, ""), started("w1", 2, (1, 2)), done("w1", 2))),
    Fault("attempts unexplained", "queued as attempt 3 after attempt 1",
          with_a(queued(), started(), queued(3, "why not"), started("w1", 3, (1, 2)), done("w1", 3))),
    Fault("attempts unexplained", "started as attempt 2, where 1 was due",
          with_a(queued(), started("w1", 2), done("w1", 2))),
    Fault("attempts unexplained", "from attempt 1 to 2 without a start",
          with_a(queued(), queued(2), started("w1", 2), done("w1", 2))),
    Fault("attempts unexplained", "first queued as attempt 2", with_a(queued(2), started("w1", 2), done("w1", 2))),
    Fault("attempts unexplained", "was excused 2 attempts",
          with_a(queued(), started(), queued(2, "drained", excused=2), started("w1", 2, excused=2), done("w1", 2))),
    Fault("attempts unexplained", "dead after attempt 2, not 3",
          with_a(queued(), started(), started("w1", 2, (1, 2)), started("w1", 3, (1, 3)), dead(2))),
    Fault("attempt started twice", "started twice as attempt 1",
          with_a(queued(), started("w1"), started("w2", 1, (1, 2)), done("w2"))),
    Fault("too many attempts", "started as attempt 4 of 3",
          with_a(queued(), *(started("w1", n, (1, n)) for n in (1, 2, 3, 4)), done("w1", 4))),
    Fault("buried too early", "buried after 2 of 3 attempts", with_a(queued(), started(), started("w1", 2, (1, 2)), dead(2))),
    Fault("buried too early", "dead and was never started", with_a(queued(), dead(1))),
    Fault("never queued", "started by w1 and never queued", with_a(started(), done())),
    Fault("too early", "s before its time",
          with_a(queued(), started(), queued(2, "it broke", not_before=1000.0), started("w1", 2, (1, 2)), done("w1", 2))),
    Fault("no reason", "ended dead and does not say why",
          with_a(queued(), *(started("w1", n, (1, n)) for n in (1, 2, 3)), dead(3, ""))),
    Fault("ended before its tasks", "r-1 ended done before a",
          log_of(*BEGINNING, *B, ("a", queued()), ("a", started()), END, ("a", done()))),
    Fault("unplanned task", "r-1.c stands in no plan",
          log_of(*BEGINNING, *B, *(("a", e) for e in (queued(), started(), done())),
                 *(("c", e) for e in (queued(), started(), done())), END)),
    Fault("task without a request", "r-1 was never accepted",
          log_of(("a", queued()), ("a", started()), ("a", done()))),
    Fault("foreign entry", "is a task, and has accepted", with_a(accepted(), Cancelled(by="c1", reason="person", why="x"))),
    Fault("foreign entry", "is a request, and has queued",
          log_of(*BEGINNING, ("_", queued()), *B, ("a", queued()), ("a", started()), ("a", done()), END)),
    Fault("left in the queue", "r-1.a still stands in TASKS", rest={"leftovers": (Leftover("TASKS", R, "a"),)}),
    Fault("left in the queue", "r-1 still stands in REQUESTS", rest={"leftovers": (Leftover("REQUESTS", R),)}),
    Fault("message without an entry", "r-1.z stands in TASKS", rest={"leftovers": (Leftover("TASKS", R, "z"),)}),
    Fault("slots exceeded", "2 jobs lived at once on w1, its limit is 1", ONE_EACH,
          {"jobs": (job("w1", "a", 1, 3, beside=1), job("w2", "b", 1, 3)), "slots": {"w1": 1}}),
    Fault("slots exceeded", "2 jobs lived at once on w1, its limit is 1",
          log_of(*BEGINNING, *(("b", e) for e in (queued(), started("w1"), done("w1"))),
                 *(("a", e) for e in (queued(), started("w1"), done("w1"))), END),
          {"jobs": (job("w1", "a", 1, 3), job("w1", "b", 2, 4)), "slots": {"w1": 1}}),
    Fault("cap exceeded", "2 jobs lived at once on job, its limit is 1", ONE_EACH,
          {"jobs": (job("w1", "a", 1, 3), job("w2", "b", 2, 4)), "caps": {"job": 1}}),
    Fault("attempt ran twice", "r-1.a ran more than once as attempt 1", ONE_EACH,
          {"jobs": (job("w1", "a", 1, 2), job("w1", "a", 3, 4))}),
    Fault("run without an entry", "r-1.a ran on w3 as attempt 1, which w1 holds", ONE_EACH,
          {"jobs": (job("w3", "a", 1, 2),)}),
    Fault("run without an entry", "as attempt 7, unrecorded", ONE_EACH, {"jobs": (job("w1", "a", 1, 2, attempt=7),)}),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.rule}: {fault.words}")
def test_each_planted_fault_is_named_in_words(fault: Fault) -> None:
    found = check(replace(History(log=fault.log), **fault.rest))
    named = [violation for violation in found if fault.words in violation.what]
    assert {violation.rule for violation in named} == {fault.rule}, told(found)
    assert fault.also <= {violation.rule for violation in found}


def test_every_rule_is_planted_once_at_least() -> None:
    """Whoever adds a rule adds its fault."""
    folder = Path(__file__).parents[1] / "checker"
    said = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    planted = {fault.rule for fault in FAULTS}
    assert all(f'"{rule}"' in said for rule in planted)
    assert said.count("Violation(") - 1 <= len(FAULTS)


def attempts_of(number: int, given: dict[str, Any], plan: Plan = PLAN, **said: Any) -> str:
    """What the checker says of a task that was buried after so many attempts."""
    attempts = (started("w1", n, (1, n), **said) for n in range(1, number + 1))
    lines: Sequence[Line] = (
        ("_", accepted(**given)),
        ("_", planned(plan=plan)),
        *B,
        ("a", queued()),
        *(("a", entry) for entry in attempts),
        ("a", dead(number)),
        END,
    )
    return told(check(History(log=log_of(*lines))))


RETRIED = Plan(tasks=(Task(step="a", demand="job", retry=Retry(attempts=6)), Task(step="b", demand="job")))


@pytest.mark.parametrize(
    ("limit", "given", "plan", "said"),
    [
        pytest.param(3, {}, PLAN, {}, id="the plan's default"),
        pytest.param(5, {"retry": Retry(attempts=5)}, PLAN, {}, id="the request's policy"),
        pytest.param(4, {"max_attempts": 4, "retry": Retry(attempts=5)}, PLAN, {}, id="the request's number"),
        pytest.param(6, {}, RETRIED, {}, id="the plan's policy"),
        pytest.param(4, {"max_attempts": 4}, RETRIED, {}, id="the request goes before the plan"),
        pytest.param(5, {}, PLAN, {"limit": 5}, id="the definition"),
        pytest.param(2, {}, PLAN, {"limit": 2}, id="the definition allows fewer"),
        pytest.param(4, {"max_attempts": 4}, PLAN, {"limit": 6}, id="the request goes before the definition"),
        pytest.param(6, {}, RETRIED, {"limit": 2}, id="the plan goes before the definition"),
    ],
)
def test_who_is_nearest_to_the_request_says_how_many_attempts_there_are(
    limit: int, given: dict[str, Any], plan: Plan, said: dict[str, Any]
) -> None:
    assert not attempts_of(limit, given, plan, **said)
    assert f"buried after {limit - 1} of {limit}" in attempts_of(limit - 1, given, plan, **said)
    assert f"started as attempt {limit + 1} of {limit}" in attempts_of(limit + 1, given, plan, **said)


def test_job_records_are_read_as_the_jobs_wrote_them(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    assert read_jobs(path) == ()
    path.write_text(
        '{"event":"began","node":"w1","task":"r-1.a","attempt":1,"pid":7,"at":1,"capability":"job","beside":0,"everywhere":2}\n'
        '{"event":"began","node":"w2","task":"r-1.b","attempt":1,"pid":8,"at":2,"capability":"job","beside":1,"everywhere":0}\n'
        '{"event":"ended","task":"r-1.a","attempt":1,"pid":7,"at":3}\n',
        encoding="utf-8",
    )
    assert read_jobs(path) == (
        JobRecord("w1", "r-1.a", 1, 1, 3, "job", 0, 2),
        JobRecord("w2", "r-1.b", 1, 2, None, "job", 1, 0),
    )


def test_violations_are_told_a_line_each_and_what_time_cannot_mend_is_said() -> None:
    late, broken = Violation("lost task", "r-1.a never ended"), Violation("no reason", "r-1.b")
    assert told([late]) == "lost task: r-1.a never ended"
    assert told([late, broken]) == f"lost task: r-1.a never ended\nno reason: r-1.b\n{FOR_GOOD}"
