"""Quotas: the parts never sum to more than the quota, and nobody waits for ever."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.swarm.limits.quotas import GUARD, WINDOW, Part, excess, part, room
from picoclaw.swarm.release import Share, release

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

NAMES = "abcdef"
sharers = st.sets(st.sampled_from(NAMES), min_size=1)


@given(st.integers(1, 50), sharers, st.integers(0, 1000))
def test_the_parts_are_the_quota_and_differ_by_one_at_most(quota: int, names: set[str], window: int) -> None:
    parts = [part(quota, names, name, window) for name in names]
    assert sum(parts) == quota
    assert max(parts) - min(parts) <= 1
    assert part(quota, names, "z", window) == 0


@given(st.integers(1, 50), sharers, st.integers(0, 1000))
def test_a_quota_below_the_number_of_coordinators_goes_round(quota: int, names: set[str], first: int) -> None:
    for name in names:
        assert any(part(quota, names, name, first + number) for number in range(len(names)))


def test_a_part_that_grows_waits_for_those_that_shrink() -> None:
    mine = Part()
    assert mine.now(4, {"a"}, "a", 100.0) == 0, "who has just come waits too"
    assert mine.now(4, {"a"}, "a", 101.0) == 0
    assert mine.now(4, {"a"}, "a", 100.0 + GUARD) == 4
    assert mine.now(4, {"a", "b"}, "a", 103.0) == 2, "at once"
    assert mine.now(4, {"a"}, "a", 103.5) == 2
    assert mine.now(4, {"a"}, "a", 104.5) == 2
    assert mine.now(4, {"a"}, "a", 103.5 + GUARD) == 4
    assert mine.now(4, {"a"}, "a", 108.0) == 0, "who has not looked for long waits as one who has just come"


@pytest.mark.parametrize("seed", range(100))
def test_coordinators_that_hear_of_each_other_late_never_have_more_than_the_quota_at_work(seed: int) -> None:
    """Fifteen runs for each seed; what was seen last is printed where one fails."""
    dice = random.Random(seed)
    for _ in range(15):
        _share_a_quota(dice, dice.randint(1, 6))


def _share_a_quota(dice: random.Random, quota: int) -> None:
    parts = {name: Part() for name in NAMES[:3]}
    at_work = dict.fromkeys(parts, 0)
    owning: set[str] = set()
    told_last = dict.fromkeys(parts, 0)
    history: list[tuple[float, set[str], dict[str, int]]] = [(0.0, set(), dict(at_work))]
    now = 1000.0
    for _ in range(60):
        now += dice.choice([0.1, 0.5, 1.0, 2.5])
        if dice.random() < 0.5:
            owning = {name for name in parts if dice.random() < 0.5}
        # Who has tasks at work owns their request until they have ended.
        owning |= {name for name, number in at_work.items() if number}
        history.append((now, set(owning), dict(at_work)))
        for name in sorted(parts):
            late = dice.uniform(0, GUARD * 0.4)
            news = [number for number, entry in enumerate(history) if entry[0] <= now - late]
            told_last[name] = max(told_last[name], news[-1])  # news come in order
            seen = history[told_last[name]]
            heard = seen[1] - {name} | ({name} if name in owning else set())
            out = {other: number for other, number in seen[2].items() if other != name}
            beyond = excess(quota, heard, out, name, now)
            own = parts[name].now(quota, heard, name, now)
            wanted = dice.randint(0, 6) if name in owning else 0
            free = room(quota, own, mine=at_work[name], others=sum(out.values()), excess=beyond)
            at_work[name] += min(wanted, free)
            told = f"{name} at {now:.1f}, {late:.1f} s late: hears {heard}, out {out}, part {own}"
            assert sum(at_work.values()) <= quota, f"quota {quota}: {at_work}; {told}; {history[-12:]}"
            at_work[name] -= dice.randint(0, at_work[name])
            # Whoever looks a moment later sees this, and not only what was at the beginning of the round.
            history.append((now, set(owning), dict(at_work)))


def test_who_has_more_out_than_its_part_takes_from_all_others() -> None:
    assert excess(3, {"a", "b", "c"}, {"a": 2, "b": 1}, "c", 1005.0) == 1
    assert excess(3, {"a", "b"}, {"gone": 2}, "a", 1005.0) == 2, (
        "an owner that is no longer there has no part"
    )
    assert room(3, 1, mine=0, others=2) == 1
    assert room(3, 1, mine=0, others=2, excess=1) == 0


shares = st.lists(
    st.builds(
        Share,
        st.uuids().map(str),
        st.integers(0, 3),
        st.integers(0, 12),
        st.integers(0, 5),
        st.none() | st.integers(0, 6),
    ),
    max_size=6,
)


@given(shares, st.integers(0, 6), st.integers(0, 40), st.integers(0, 20))
def test_no_release_goes_over_a_quota(lane: list[Share], slots: int, turn: int, most: int) -> None:
    granted = release(lane, slots=slots, coordinators=1, turn=turn, most=most)
    assert sum(granted.values()) <= most
    for share in lane:
        number = granted.get(share.request, 0)
        assert number <= share.ready
        assert share.room is None or number <= share.room
    wanting = [share for share in lane if share.waiting == 0 and share.wanted]
    assert sum(granted.values()) >= min(most, len(wanting)), "what the quota leaves is used"


@pytest.mark.parametrize("priorities", [(1, 1, 1), (0, 1, 3), (0, 3, 3, 3)])
def test_under_a_quota_of_one_every_request_gets_its_turn(priorities: tuple[int, ...]) -> None:
    waited = dict.fromkeys(map(str, range(len(priorities))), 0)
    for turn in range(200):
        lane = [Share(str(number), priority, 50, 0) for number, priority in enumerate(priorities)]
        (winner,) = release(lane, slots=9, coordinators=1, turn=turn, most=1)
        for request in waited:
            waited[request] = 0 if request == winner else waited[request] + 1
            assert waited[request] < 8 * len(priorities)


@given(st.floats(0, 1e6))
def test_a_part_is_stable_within_a_window(at: float) -> None:
    start = at // WINDOW * WINDOW
    times = [start + GUARD, start + WINDOW / 2, start + WINDOW - 0.01]
    assert len({part(5, "abc", "a", int(moment // WINDOW)) for moment in times}) == 1
