"""Probing: whom to ask next, within the budget, and how soon a death is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.swarm.membership.liveness import PROBE_PAUSE
from picoclaw.swarm.membership.probing import MARGIN, OFTEN, PROBES_PER_SECOND, Asked, due, next_round, pace

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

TICK = 0.005


class Play:
    """An observer of some nodes, some of which die; the broker's word takes no time."""

    def __init__(self, nodes: int) -> None:
        self.names = [f"n{number:04}" for number in range(nodes)]
        self.last: dict[str, float] = {}
        self.absent: dict[str, float] = {}
        self.dead_since: dict[str, float] = {}
        self.found: dict[str, float] = {}
        self.sent: list[float] = []

    def run(self, seconds: float, deaths: dict[str, float]) -> None:
        now = again = 0.0
        while now < seconds:
            if now >= again:
                again = self._round(now, deaths)
            now += TICK

    def _round(self, now: float, deaths: dict[str, float]) -> float:
        window = [at for at in self.sent if now - at < 1.0]
        asked = {name: Asked(OFTEN, self.last.get(name), self.absent.get(name)) for name in self.names}
        planned = next_round(
            asked, now, budget=PROBES_PER_SECOND - len(window), renewed=window[0] + 1.0 if window else now
        )
        for name in planned.now:
            self.last[name] = now
            self.sent.append(now)
            if now < deaths.get(name, float("inf")):
                continue
            first = self.absent.setdefault(name, now)
            if now - first >= PROBE_PAUSE:
                self.found.setdefault(name, now - deaths[name])
        # As the prober: what a probe finds changes the plan.
        return min(planned.again, now + OFTEN)


@given(st.floats(0.5, 3.0), st.integers(1, 20))
def test_among_few_nodes_a_death_is_found_in_well_under_two_seconds(at: float, nodes: int) -> None:
    play = Play(nodes)
    play.run(6.0, {"n0000": at})
    assert PROBE_PAUSE <= play.found["n0000"] <= OFTEN + PROBE_PAUSE + MARGIN + 3 * TICK


@pytest.mark.parametrize("nodes", [90, 400])
def test_among_many_the_pace_follows_the_budget_and_no_more_is_sent(nodes: int) -> None:
    play = Play(nodes)
    play.run(12.0, {"n0003": 5.0})
    longest = pace(OFTEN, nodes) + PROBE_PAUSE + 0.3
    assert play.found["n0003"] <= longest
    assert max(sum(1 for b in play.sent if 0 <= b - a < 1.0) for a in play.sent) <= PROBES_PER_SECOND


def test_when_many_die_together_each_is_found_before_the_rest_is_asked_again() -> None:
    play = Play(200)
    deaths = {f"n{number:04}": 6.0 for number in range(0, 200, 2)}
    play.run(14.0, deaths)
    assert set(play.found) == set(deaths)
    assert max(play.found.values()) <= pace(OFTEN, 200) + PROBE_PAUSE + 1.5


def test_a_node_that_was_never_asked_is_asked_at_once() -> None:
    assert next_round({"a": Asked(OFTEN)}, 100.0, budget=9, renewed=100.0).now == ("a",)


def test_an_absence_is_confirmed_when_the_rule_allows_and_not_before() -> None:
    asked = Asked(OFTEN, last=10.0, absent_since=10.01)
    assert due(asked, 1) == pytest.approx(10.01 + PROBE_PAUSE + MARGIN)


def test_who_waits_for_its_confirmation_goes_before_all_others() -> None:
    others = {f"n{number}": Asked(OFTEN) for number in range(5)}
    absent = Asked(OFTEN, last=10.0, absent_since=10.0)
    assert next_round({**others, "x": absent}, 12.0, budget=1, renewed=12.5).now == ("x",)


def test_without_budget_nobody_is_asked_until_there_is_some() -> None:
    planned = next_round({"a": Asked(OFTEN)}, 5.0, budget=0, renewed=5.4)
    assert (planned.now, planned.again) == ((), 5.4)


def test_where_nobody_is_watched_nothing_is_due() -> None:
    assert next_round({}, 5.0, budget=100, renewed=5.0).again == float("inf")
