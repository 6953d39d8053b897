"""Release: who gets the places of a lane, and that nobody waits for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.swarm.release import Share, lane_budget, release

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

counts = st.integers(0, 12)


@st.composite
def lanes(draw: st.DrawFn) -> list[Share]:
    size = draw(st.integers(0, 6))
    return [
        Share(f"r{i}", draw(st.integers(0, 3)), draw(counts), draw(st.integers(0, 5))) for i in range(size)
    ]


def test_a_lane_holds_twice_its_slots_shared_among_coordinators() -> None:
    assert lane_budget(slots=5, coordinators=1) == 10
    assert lane_budget(slots=5, coordinators=2) == 5
    assert lane_budget(slots=1, coordinators=4) == 1
    assert lane_budget(slots=0, coordinators=1) == 0


def test_a_request_has_one_task_waiting_even_where_nobody_serves_the_lane() -> None:
    assert release([Share("a", 1, 9, 0), Share("b", 0, 9, 0)], slots=0, coordinators=1) == {"a": 1, "b": 1}


def test_a_small_request_passes_a_large_one() -> None:
    large, small = Share("large", 1, 50_000, 10), Share("small", 1, 2, 0)
    assert release([large, small], slots=5, coordinators=1) == {"small": 1}


def test_the_higher_priority_fills_the_lane_first() -> None:
    low, high = Share("low", 0, 9, 0), Share("high", 3, 9, 0)
    assert release([low, high], slots=2, coordinators=1) == {"high": 3, "low": 1}


def test_equals_share_evenly() -> None:
    shares = [Share(name, 1, 9, 0) for name in "abc"]
    assert release(shares, slots=3, coordinators=1) == {"a": 2, "b": 2, "c": 2}


def test_who_has_fewest_waiting_gets_the_next_place() -> None:
    assert release([Share("a", 1, 9, 3), Share("b", 1, 9, 1)], slots=3, coordinators=1) == {"b": 2}


def test_the_turn_decides_who_of_equals_gets_the_odd_place() -> None:
    shares = [Share("a", 1, 9, 1), Share("b", 1, 9, 1)]
    assert [release(shares, slots=2, coordinators=1, turn=t) for t in (0, 1)] == [{"a": 1, "b": 1}] * 2
    odd = [Share("a", 1, 9, 1), Share("b", 1, 9, 1), Share("c", 1, 9, 1)]
    assert [set(release(odd, slots=2, coordinators=1, turn=t)) for t in (0, 1, 2)] == [{"a"}, {"b"}, {"c"}]


@given(lanes(), st.integers(0, 6), st.integers(0, 4), counts)
def test_nobody_is_given_more_than_it_has_and_nobody_nothing(
    shares: list[Share], slots: int, coordinators: int, turn: int
) -> None:
    granted = release(shares, slots=slots, coordinators=coordinators, turn=turn)
    ready = {share.request: share.ready for share in shares}
    assert all(0 < number <= ready[name] for name, number in granted.items())


@given(lanes(), st.integers(0, 6), st.integers(0, 4), counts)
def test_a_lane_never_holds_more_than_its_budget_but_for_one_task_of_each_request(
    shares: list[Share], slots: int, coordinators: int, turn: int
) -> None:
    granted = release(shares, slots=slots, coordinators=coordinators, turn=turn)
    waiting = sum(share.waiting for share in shares) + sum(granted.values())
    before = sum(share.waiting for share in shares)
    firsts = sum(1 for share in shares if share.waiting == 0 and share.ready)
    assert waiting <= max(lane_budget(slots, coordinators), before + firsts)


@given(lanes(), st.integers(0, 6), st.integers(0, 4), counts)
def test_every_request_with_work_has_a_task_waiting(
    shares: list[Share], slots: int, coordinators: int, turn: int
) -> None:
    granted = release(shares, slots=slots, coordinators=coordinators, turn=turn)
    assert all(share.waiting + granted.get(share.request, 0) > 0 for share in shares if share.ready)


@given(lanes(), st.integers(1, 6), st.integers(0, 4), counts)
def test_no_place_stays_empty_while_somebody_has_work(
    shares: list[Share], slots: int, coordinators: int, turn: int
) -> None:
    granted = release(shares, slots=slots, coordinators=coordinators, turn=turn)
    waiting = sum(share.waiting for share in shares) + sum(granted.values())
    left = sum(share.ready for share in shares) - sum(granted.values())
    assert left == 0 or waiting >= lane_budget(slots, coordinators)


@given(lanes(), st.integers(0, 6), st.integers(0, 4))
def test_requests_of_one_priority_end_up_level(shares: list[Share], slots: int, coordinators: int) -> None:
    granted = release(shares, slots=slots, coordinators=coordinators)
    after = {share.request: share.waiting + granted.get(share.request, 0) for share in shares}
    for share in shares:
        for other in shares:
            if share.priority == other.priority and granted.get(share.request, 0) > 1:
                starved = granted.get(other.request, 0) < other.ready
                assert not starved or after[share.request] <= after[other.request] + 1
