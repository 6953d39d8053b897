"""Members: what is known of the slots keeps up with every change, and what is kept of the past is bounded."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from picoclaw.swarm.demand import parse_demand
from picoclaw.swarm.follow import Followed
from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.membership.members import FORGET_RUNS_AFTER, Members
from picoclaw.swarm.subjects import Names

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

NAMES = Names("x")
CODE = parse_demand("code")


class Table:
    def __init__(self) -> None:
        self.clock = 0.0
        wire = SimpleNamespace(client=SimpleNamespace(is_connected=True))
        self.members = Members(
            cast(Any, wire),
            NAMES,
            me="observer",
            run="o",
            interval=timedelta(seconds=1),
            node_timeout=timedelta(seconds=5),
            clock=lambda: self.clock,
        )

    def hears(self, at: float, node: str = "w", run: str = "r", **more: Any) -> None:
        told: dict[str, Any] = {"slots": 2, "capabilities": ("code",), "born": 1.0}
        beat = Heartbeat(
            node=node,
            run=run,
            role="worker",
            beat=int(at * 10),
            interval_s=1,
            timeout_s=5,
            started=1.0,
            **(told | more),
        )
        self.clock = at
        self.members.take(Followed(NAMES.member(node), beat.to_bytes(), int(at * 10), at, 0), live=True)


def test_slots_keep_up_with_who_joins_changes_drains_and_falls_silent() -> None:
    table = Table()
    slots = table.members.slots_for
    assert slots(CODE) == 0
    table.hears(1)
    assert slots(CODE) == 2
    table.hears(2, slots=3)
    assert slots(CODE) == 3
    table.hears(2, node="v", run="s")
    assert slots(CODE) == 5
    table.hears(3, node="v", run="s", draining=True)
    assert slots(CODE) == 3
    table.hears(4, slots=3, agents=("coder",))
    assert slots(parse_demand("agent:coder")) == 3
    table.clock = 12
    table.members.sweep()
    assert slots(CODE) == 0
    table.hears(13, slots=3)
    table.members.sweep()
    assert slots(CODE) == 3


def test_a_name_that_restarts_for_years_is_not_remembered_run_by_run() -> None:
    table = Table()
    for day in range(1, 51):
        at = day * 2 * FORGET_RUNS_AFTER
        table.hears(at, run=f"run {day}", born=at)
        table.members.sweep()
    assert len(table.members._earlier_runs) <= 2
    # The run before the last is dead all the same: a later one bears its name.
    assert table.members.proven_dead("w", "run 7", 7 * 2 * FORGET_RUNS_AFTER + 1)
