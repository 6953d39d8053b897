"""Members: of two runs of one name the later one counts, whatever the earlier one still says.

Each of these was found by the simulation; the table condemned a healthy run for good.
"""

from datetime import timedelta
from typing import Any, cast

import pytest

from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.follow import Followed
from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.membership.members import Members
from picoclaw.tests.simulation.run import ProbeWire, Spellings

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

EARLIER, LATER = ("earlier", 100.0), ("later", 150.0)
"""Runs of node `w`, and when each joined."""


class Table:
    """A members table that hears what it is told, at server times."""

    def __init__(self, me: str = "observer", run: str = "o") -> None:
        self.clock = 0.0
        self.wire = ProbeWire()
        self.members = Members(
            cast(Any, self.wire), cast(Any, Spellings()), me=me, run=run, interval=timedelta(seconds=1),
            node_timeout=timedelta(seconds=5), clock=lambda: self.clock,
        )  # fmt: skip

    def hears(self, run: tuple[str, float], at: float, **more: object) -> None:
        name, born = run
        beat = Heartbeat(
            node="w", run=name, role="worker", beat=int(at), interval_s=1, timeout_s=5, slots=1,
            started=1.0, born=born, **more,
        )  # fmt: skip
        self.clock = at
        self.members.take(Followed("w", beat.to_bytes(), int(at), at, 0), live=True)

    def dead(self, run: tuple[str, float], since: float) -> bool:
        return self.members.proven_dead("w", run[0], since)

    @property
    def bears_the_name(self) -> str:
        return self.members.table["w"].beat.run


def test_a_later_run_is_the_death_of_the_earlier_one() -> None:
    table = Table()
    table.hears(EARLIER, 110)
    assert not table.dead(EARLIER, 109)
    table.hears(LATER, 151)
    assert table.dead(EARLIER, 109)
    assert not table.dead(LATER, 152)


def test_a_run_that_was_never_heard_is_dead_when_a_later_one_joined_after_its_last_word() -> None:
    table = Table()
    table.hears(LATER, 151)
    assert table.dead(EARLIER, 140)
    assert not table.dead(("unknown", 0.0), 155), "it wrote after that run had joined"


def test_a_thawed_zombies_heartbeat_does_not_condemn_its_successor() -> None:
    table = Table()
    table.hears(EARLIER, 110)
    table.hears(LATER, 151)
    table.hears(EARLIER, 160)
    assert table.bears_the_name == "later"
    assert not table.dead(LATER, 155)
    assert table.dead(EARLIER, 159)


def test_nor_does_it_where_the_observer_had_never_heard_of_the_zombie() -> None:
    table = Table()
    table.hears(LATER, 151)
    table.hears(EARLIER, 160)
    assert table.bears_the_name == "later"
    assert not table.dead(LATER, 155)
    table.hears(LATER, 161)
    assert table.members.table["w"].seen_at == 161


def test_a_killed_runs_late_heartbeat_does_not_condemn_its_successor_before_that_is_heard() -> None:
    table = Table()
    table.hears(EARLIER, 110)
    table.hears(EARLIER, 156)  # sent long before, stored after the successor's `started` at 155
    assert not table.dead(LATER, 155)


def test_a_zombies_answer_to_a_probe_says_nothing_of_its_successor() -> None:
    table = Table()
    table.hears(LATER, 151)
    table.wire.answer = "earlier"
    with pytest.raises(StopIteration):
        table.members.probe("w").send(None)
    assert not table.dead(LATER, 155)


def test_a_zombie_knows_that_it_was_replaced_and_does_not_take_its_successor_for_dead() -> None:
    table = Table("w", "earlier")
    table.hears(EARLIER, 110)
    table.hears(LATER, 151)
    assert table.members.replaced == "later"
    held = TaskHead(seq=9, state="running", node="w", run="later", at=155.0)
    assert not table.members.evidence(held, task="t", in_my_jobs=False).run_dead


def test_a_run_is_not_replaced_by_the_one_that_it_replaced() -> None:
    table = Table("w", "later")
    table.hears(EARLIER, 110)
    table.hears(LATER, 151)
    table.hears(EARLIER, 160)
    assert table.members.replaced is None


def test_runs_of_a_version_that_does_not_say_when_it_joined_are_told_apart_by_their_age() -> None:
    table = Table()
    table.hears(("earlier", 0.0), 110)
    table.hears(("later", 0.0), 151)
    assert table.dead(EARLIER, 109)
    assert table.bears_the_name == "later"
