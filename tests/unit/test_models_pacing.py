"""The shared pace: no window of a minute holds more than the limits, whoever asks when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.models.pacing import (
    WINDOW,
    Grant,
    Limits,
    Pace,
    granted,
    rested,
    resting,
    settled,
    when,
)

pytestmark = pytest.mark.unit

limits = st.builds(Limits, requests=st.none() | st.integers(1, 5), tokens=st.none() | st.integers(1000, 5000))
questions = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 3000)), max_size=25)


@given(limits, questions)
def test_no_minute_holds_more_than_the_limits(limit: Limits, drawn: list[tuple[float, int]]) -> None:
    pace, now, all_grants = Pace(), 100.0, []
    for number, (pause, tokens) in enumerate(drawn):
        now += pause
        at = when(pace, now, limit, tokens)
        assert at >= now
        grant = Grant(id=str(number), at=at, tokens=tokens)
        pace = granted(pace, now, grant)
        all_grants.append(grant)
    times = [grant.at for grant in all_grants]
    assert times == sorted(times), "who asked first goes first"
    for grant in all_grants:
        near = [other for other in all_grants if other.at <= grant.at < other.at + WINDOW]
        if limit.requests is not None:
            assert len(near) <= limit.requests
        if limit.tokens is not None:
            assert len(near) == 1 or sum(other.tokens for other in near) <= limit.tokens


def test_what_a_question_really_took_makes_room_or_takes_it() -> None:
    limit = Limits(tokens=1000)
    pace = granted(Pace(), 0, Grant(id="a", at=0, tokens=900))
    assert when(pace, 1, limit, 500) == 60
    assert when(settled(pace, "a", 400), 1, limit, 500) == 1
    assert when(settled(pace, "a", None), 1, limit, 1000) == 1


def test_one_that_is_over_the_limit_alone_goes_alone() -> None:
    pace = granted(Pace(), 0, Grant(id="a", at=0, tokens=10))
    assert when(pace, 1, Limits(tokens=1000), 99_999) == 60


def test_a_model_that_wants_rest_gets_it_and_others_do_not_wait() -> None:
    pace = rested(rested(Pace(), "m", 30), "m", 20)
    assert resting(pace, 1, "m") == 29
    assert resting(pace, 31, "m") == resting(pace, 1, "n") == 0
    assert granted(pace, 31, Grant(id="a", at=31, tokens=1)).held == ()
