"""The fold: what a log means, entry by entry, and that its last entry alone says it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from picoclaw.swarm.fold import RequestHead, TaskHead, fold_request, fold_task
from picoclaw.swarm.records import Delivery, Plan, Request, Result
from picoclaw.tests.support.strategies import deliveries

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

REQUEST = Request(id="r-aaaaaaaaaaaaaaaa", key_digest="0", text="x")
small = st.integers(1, 9)

queued = st.builds(
    Queued, attempt=small, excused=st.integers(0, 3), demand=st.sampled_from(["code", "docs"]),
    priority=st.integers(0, 3), reason=st.sampled_from(["", "released", "node offline: n"]),
    not_before=st.none() | st.floats(0, 1e9),
)  # fmt: skip
started = st.builds(
    Started, node=st.sampled_from(["a", "b"]), run=st.sampled_from(["1", "2"]), attempt=small,
    excused=st.integers(0, 3), demand=st.sampled_from(["code", "docs"]), priority=st.integers(0, 3),
    delivery=deliveries, ack=st.sampled_from(["$JS.ACK.1", "$JS.ACK.2"]), beat=small,
)  # fmt: skip
ends = (
    st.builds(Done, node=st.sampled_from(["a", "b"]), result=st.just(Result(summary="s")))
    | st.builds(Failed, reason=st.just("error"), error=st.just("e"))
    | st.builds(Cancelled, reason=st.just("person"), why=st.just("w"))
    | st.builds(Dead, attempt=small, error=st.just("e"))
)
task_entries = queued | started | ends
histories = st.lists(st.none() | task_entries, max_size=8)

request_entries = (
    st.builds(
        Accepted, owner=st.sampled_from(["a", "b"]), run=st.sampled_from(["1", "2"]), request=st.just(REQUEST)
    )
    | st.builds(Owner, owner=st.sampled_from(["a", "b"]), run=st.sampled_from(["1", "2"]))
    | st.builds(Planned, owner=st.just("a"), run=st.just("1"), plan=st.just(Plan(tasks=())))
    | st.builds(Cancelling, why=st.sampled_from(["", "too slow"]))
    | ends
)


def fold(entries: Sequence[Entry | None], head: TaskHead | None = None) -> TaskHead:
    head = head or TaskHead()
    for seq, entry in enumerate(entries, start=1):
        head = fold_task(head, entry, seq * 10, float(seq))
    return head


def fold_all(entries: Sequence[Entry | None]) -> RequestHead:
    head = RequestHead()
    for seq, entry in enumerate(entries, start=1):
        head = fold_request(head, entry, seq * 10, float(seq))
    return head


@given(histories)
def test_the_first_terminal_state_wins(entries: list[Entry | None]) -> None:
    ends_at = next(
        (i for i, e in enumerate(entries) if isinstance(e, Done | Failed | Cancelled | Dead)), None
    )
    head = fold(entries)
    assert head.terminal == (ends_at is not None)
    if ends_at is not None:
        first = fold(entries[: ends_at + 1])
        assert (head.state, head.id, head.reason, head.at) == (first.state, first.id, first.reason, first.at)


@given(histories)
def test_whatever_comes_moves_the_sequence_that_the_next_append_must_expect(
    entries: list[Entry | None],
) -> None:
    assert fold(entries).seq == len(entries) * 10


@given(histories, st.data())
def test_entries_that_come_again_or_late_change_nothing(
    entries: list[Entry | None], data: st.DataObject
) -> None:
    head = fold(entries)
    for entry in data.draw(st.lists(st.none() | task_entries, max_size=3)):
        assert fold_task(head, entry, data.draw(st.integers(0, head.seq)), 99.0) == head


@given(st.lists(queued | started, min_size=1, max_size=8), st.booleans())
def test_the_last_entry_alone_says_all_that_the_next_decision_needs(entries: list[Entry], end: bool) -> None:
    if end:
        entries = [*entries, Done(result=Result(), node="a")]
    whole, alone = fold(entries), fold_task(TaskHead(), entries[-1], len(entries) * 10, float(len(entries)))
    names = ["seq", "id", "state", "at", "reason", "terminal"]
    if not end:
        names += [
            "attempt",
            "excused",
            "demand",
            "priority",
            "node",
            "run",
            "delivery",
            "ack",
            "beat",
            "not_before",
        ]
    assert {n: getattr(whole, n) for n in names} == {n: getattr(alone, n) for n in names}


@given(histories)
def test_only_a_running_task_has_a_holder_and_only_a_queued_one_a_not_before(
    entries: list[Entry | None],
) -> None:
    head = fold(entries)
    if head.state == "queued":
        assert (head.node, head.run, head.ack, head.delivery) == ("", "", "", None)
    if head.state == "running":
        assert head.delivery is not None
        assert head.not_before is None


def test_an_entry_that_is_none_of_a_task_moves_only_the_sequence() -> None:
    before = fold([Queued(demand="code", priority=1)])
    after = fold_task(before, Owner(owner="a", run="1"), 99, 9.0)
    assert (after.seq, after.state, after.id) == (99, "queued", before.id)


def test_the_first_start_is_remembered_for_how_long_it_took() -> None:
    start = Started(
        node="n",
        run="r",
        attempt=1,
        demand="code",
        priority=1,
        delivery=Delivery(seq=1, count=1),
        ack="",
        beat=0,
    )
    again = Queued(demand="code", priority=1, attempt=2)
    assert (
        fold(
            [Queued(demand="code", priority=1), start, again, start.model_copy(update={"attempt": 2})]
        ).started_at
        == 2.0
    )


def test_each_end_says_why() -> None:
    assert fold([Failed(reason="deadline", error="over 5 s")]).reason == "deadline: over 5 s"
    assert fold([Cancelled(reason="dependency", why="a ended failed")]).reason == "dependency: a ended failed"
    assert fold([Dead(attempt=3, error="boom")]).reason == "boom"


# --- the request's own log ---


@given(st.lists(st.none() | request_entries, max_size=8))
def test_a_requests_first_terminal_state_wins(entries: list[Entry | None]) -> None:
    ended = next((i for i, e in enumerate(entries) if isinstance(e, Done | Failed | Cancelled)), None)
    head = fold_all(entries)
    assert head.terminal == (ended is not None)
    assert head.seq == len(entries) * 10
    if ended is not None:
        assert head.id == fold_all(entries[: ended + 1]).id


@given(st.lists(request_entries, max_size=8))
def test_the_last_owner_owns(entries: list[Entry]) -> None:
    head = fold_all(entries)
    own = [e for e in entries if isinstance(e, Accepted | Owner | Planned)]
    if own and not head.terminal:
        assert (head.owner, head.run) == (own[-1].owner, own[-1].run)
        assert head.accepted


def test_a_cancel_before_acceptance_is_kept_when_a_coordinator_accepts() -> None:
    head = fold_all([Cancelling(why="too slow")])
    assert (head.state, head.accepted, head.cancelling) == ("queued", False, "too slow")
    head = fold_request(head, Accepted(owner="a", run="1", request=REQUEST), 99, 9.0)
    assert (head.state, head.accepted, head.cancelling) == ("running", True, "too slow")


def test_a_cancel_takes_the_request_from_nobody() -> None:
    head = fold_all([Accepted(owner="a", run="1", request=REQUEST), Cancelling(why="x")])
    assert (head.owner, head.run, head.cancelling) == ("a", "1", "x")


def test_a_request_that_ends_with_something_missing_says_so() -> None:
    assert fold_all([Done(result=Result(), partial=True)]).partial
