"""Liveness: what an observer may conclude, and when it must not."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.swarm.membership.liveness import (
    PROBE_PAUSE,
    SUSPICIOUS_INTERVALS,
    OwnEchoes,
    Sign,
    echo,
    found_absent,
    is_dead,
    may_declare,
    node_status,
    settled,
)

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

ALIVE = Sign(last_heard=0.0, interval=10.0, timeout=60.0, slots=5, used=0)
moments = st.floats(0, 1000, allow_nan=False)
signs = st.builds(
    Sign, last_heard=moments, interval=st.floats(0.1, 30), timeout=st.floats(0.2, 90), slots=st.integers(0, 8),
    used=st.integers(0, 8), draining=st.booleans(), goodbye=st.booleans(), silent_probe=st.booleans(),
    absent_since=st.none() | moments, absent_again=st.none() | moments, here=st.booleans(),
)  # fmt: skip


# --- what people see ---


@pytest.mark.parametrize(("used", "status"), [(0, "online"), (2, "online"), (3, "busy"), (5, "busy")])
def test_a_node_is_busy_from_sixty_percent_of_its_slots(used: int, status: str) -> None:
    assert node_status(replace(ALIVE, used=used), 1.0) == status


def test_a_node_without_slots_is_never_busy() -> None:
    assert node_status(replace(ALIVE, slots=0), 1.0) == "online"


def test_silence_makes_suspicious_and_then_offline() -> None:
    assert node_status(ALIVE, SUSPICIOUS_INTERVALS * 10.0) == "online"
    assert node_status(ALIVE, SUSPICIOUS_INTERVALS * 10.0 + 0.1) == "suspicious"
    assert node_status(ALIVE, 60.0) == "suspicious"
    assert node_status(ALIVE, 60.1) == "offline"


def test_a_hung_node_is_only_suspicious_until_its_timeout() -> None:
    assert node_status(replace(ALIVE, silent_probe=True), 1.0) == "suspicious"


def test_a_draining_node_says_so() -> None:
    assert node_status(replace(ALIVE, draining=True, used=5), 1.0) == "draining"


def test_a_goodbye_is_offline_at_once() -> None:
    assert node_status(replace(ALIVE, goodbye=True, draining=True), 0.1) == "offline"


# --- death ---


def test_one_probe_that_finds_nobody_is_suspicion_two_a_second_apart_are_death() -> None:
    once = replace(ALIVE, absent_since=5.0)
    at_once = replace(once, absent_again=5.0 + PROBE_PAUSE - 0.01)
    twice = replace(once, absent_again=5.0 + PROBE_PAUSE)
    assert [found_absent(sign) for sign in (ALIVE, once, at_once, twice)] == [False, False, False, True]
    assert [node_status(sign, 7.0) for sign in (once, at_once, twice)] == [
        "suspicious",
        "suspicious",
        "offline",
    ]
    assert [is_dead(sign, 7.0, may_declare=True) for sign in (once, twice)] == [False, True]


def test_an_answer_after_an_absence_wipes_it_out() -> None:
    assert not found_absent(replace(ALIVE, absent_again=9.0))


@given(signs, moments)
def test_an_observer_that_may_declare_nobody_believes_only_a_goodbye(sign: Sign, now: float) -> None:
    assert is_dead(sign, now, may_declare=False) == sign.goodbye


@given(signs, moments)
def test_a_settled_observer_believes_besides_only_that_somebody_who_was_here_is_absent(
    sign: Sign, now: float
) -> None:
    dead = is_dead(sign, now, may_declare=False, settled=True)
    assert dead == (sign.goodbye or (sign.here and found_absent(sign)))


def test_silence_alone_proves_nothing_to_a_settled_observer() -> None:
    assert not is_dead(ALIVE, 1000.0, may_declare=False, settled=True)
    assert is_dead(ALIVE, 1000.0, may_declare=True)


def test_who_was_heard_only_before_a_reconnect_is_left_to_the_node_timeout() -> None:
    absent = replace(ALIVE, absent_since=5.0, absent_again=7.0, here=False)
    assert not is_dead(absent, 7.0, may_declare=False, settled=True)
    assert is_dead(absent, 7.0, may_declare=True)


@given(signs, moments, st.booleans())
def test_to_be_settled_never_makes_somebody_live_who_is_dead(sign: Sign, now: float, declares: bool) -> None:
    if is_dead(sign, now, may_declare=declares):
        assert is_dead(sign, now, may_declare=declares, settled=True)


@given(signs, moments)
def test_dead_is_never_shown_as_living(sign: Sign, now: float) -> None:
    assert is_dead(sign, now, may_declare=True) == (node_status(sign, now) == "offline")


@given(signs, moments, moments)
def test_time_alone_never_brings_a_node_back(sign: Sign, now: float, later: float) -> None:
    first, last = sorted((now, later))
    if is_dead(sign, first, may_declare=True):
        assert is_dead(sign, last, may_declare=True)


@given(signs, moments)
def test_a_run_that_is_heard_in_time_and_found_by_probes_lives(sign: Sign, now: float) -> None:
    heard = replace(sign, last_heard=now, goodbye=False, absent_since=None, absent_again=None)
    assert not is_dead(heard, now, may_declare=True)


# --- who may declare ---


def echoes(*beats: float, gap: float = 2.5) -> OwnEchoes:
    own = OwnEchoes()
    for at in beats:
        own = echo(own, at, longest_gap=gap)
    return own


def may(own: OwnEchoes, now: float) -> bool:
    return may_declare(own, now, node_timeout=3.0, longest_gap=2.5)


def is_settled(own: OwnEchoes, now: float, *, after: float) -> bool:
    return settled(own, now, node_timeout=3.0, longest_gap=2.5, after=after)


def test_an_observer_that_has_just_come_declares_nobody() -> None:
    assert not may(OwnEchoes(), 100.0)
    assert not may(echoes(0.0, 1.0, 2.0), 2.9)


def test_an_observer_that_heard_itself_for_a_node_timeout_may_declare() -> None:
    assert may(echoes(0.0, 1.0, 2.0), 3.0)


def test_an_observer_that_has_stopped_hearing_itself_declares_nobody() -> None:
    own = echoes(0.0, 1.0, 2.0, 3.0)
    assert may(own, 5.5)
    assert not may(own, 5.6)


def test_a_gap_in_its_own_heartbeats_makes_an_observer_wait_a_node_timeout_again() -> None:
    own = echoes(0.0, 1.0, 2.0, 3.0, 6.0)
    assert not may(own, 6.0)
    assert not may(own, 8.4)
    again = echoes(0.0, 3.0, 6.0, 8.0)
    assert not may(again, 8.9)
    assert may(again, 9.0)


def test_an_observer_is_settled_before_it_may_declare_but_never_after_a_gap() -> None:
    own = echoes(0.0, 1.0)
    assert [is_settled(own, now, after=2.0) for now in (1.9, 2.0, 3.5, 3.6)] == [False, True, True, False]
    assert not may(own, 2.9)


@given(st.lists(moments, max_size=12), moments, st.floats(0.1, 9))
def test_who_may_declare_is_settled(beats: list[float], now: float, after: float) -> None:
    own = echoes(*sorted(at for at in beats if at <= now))
    if may(own, now):
        assert is_settled(own, now, after=after)


@given(st.lists(moments, max_size=12), moments)
def test_who_may_declare_heard_itself_without_a_gap_for_the_whole_timeout(
    beats: list[float], now: float
) -> None:
    beats = sorted(at for at in beats if at <= now)
    if may(echoes(*beats), now):
        window = [at for at in beats if at >= now - 3.0]
        before = [at for at in beats if at < now - 3.0][-1:]
        points = [*(before or [window[0]]), *window, now]
        assert before or window[0] <= now - 3.0
        assert all(b - a <= 2.5 for a, b in itertools.pairwise(points))
