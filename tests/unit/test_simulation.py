"""The swarm simulated: the production decisions hold against whatever goes wrong, and each is needed.

SIMULATION_SEEDS sets how many seeds are played (2,000), SIMULATION_FIRST the first of them (0).
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import Delivery
from picoclaw.swarm.rules import HolderEvidence
from picoclaw.tests.simulation.decisions import Decisions, OnDelivery, on_delivery
from picoclaw.tests.simulation.mutations import MUTATIONS, SOONEST
from picoclaw.tests.simulation.world import Outcome, World, simulate

pytestmark = [pytest.mark.unit, pytest.mark.timeout(3600)]

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "2000"))
FIRST = int(os.environ.get("SIMULATION_FIRST", "0"))
PARTS, SHORT = 4, 2
"""Shares that the seeds are played in, and how many of them `make test` plays."""
MUTATION_SEEDS = 3000
"""Seeds within which a rule that is left out must show."""
TRACE_LINES = 120


@pytest.fixture(autouse=True)
def no_logs() -> Iterator[None]:
    """What the members table would tell people of thousands of swarms."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def told(outcome: Outcome, decisions: Decisions | None = None) -> str:
    """Return what happened in a seed that broke, for people."""
    trace: list[str] = []
    simulate(outcome.seed, decisions, trace)
    return "\n".join([f"seed {outcome.seed}: {outcome.broken}", *trace[-TRACE_LINES:]])


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=() if part < SHORT else pytest.mark.long) for part in range(PARTS)]
)
def test_whatever_is_killed_frozen_or_cut_off_the_swarm_keeps_its_promises(part: int) -> None:
    for seed in range(FIRST + part, FIRST + SEEDS, PARTS):
        outcome = simulate(seed)
        if outcome.broken is not None:
            pytest.fail(told(outcome), pytrace=False)


@pytest.mark.parametrize("rule", MUTATIONS)
def test_each_rule_is_needed_left_out_it_breaks_a_promise(rule: str) -> None:
    first = SOONEST.get(rule, 0)
    for seed in (*range(first, MUTATION_SEEDS), *range(first)):
        if simulate(seed, MUTATIONS[rule]).broken is not None:
            return
    pytest.fail(f"{MUTATION_SEEDS} seeds did not notice that a rule was left out: {rule}", pytrace=False)


def test_a_seed_plays_the_same_each_time() -> None:
    first: list[str] = []
    again: list[str] = []
    assert simulate(7, trace=first) == simulate(7, trace=again)
    assert first == again
    assert len(first) > 10


def test_a_seed_that_breaks_is_told_step_by_step() -> None:
    broken = next(
        o for o in (simulate(s, MUTATIONS["order: queue, then log"]) for s in range(50)) if o.broken
    )
    text = told(broken, MUTATIONS["order: queue, then log"])
    assert text.startswith(f"seed {broken.seed}: at ")
    assert "accepted by c" in text


def test_the_simulation_reaches_every_decision() -> None:
    """Else that nothing breaks would say nothing."""
    seen: Counter[str] = Counter()

    def counting(
        head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
    ) -> OnDelivery:
        decision = on_delivery(head, delivery, found, limit, now)
        seen[type(decision).__name__] += 1
        return decision

    for seed in range(250):
        world = World(seed, replace(Decisions(), on_delivery=counting))
        world.play()
        seen.update(stored.act for entries in world.log.subjects.values() for stored in entries)
        seen.update(stored.entry.kind for entries in world.log.subjects.values() for stored in entries)
        seen["double"] += world.checker.doubles
    expected = {
        *("Start", "Postpone", "Drop", "Zombie", "Bury"),
        *(
            "accept",
            "take over",
            "hand over",
            "release",
            "start",
            "supersede",
            "retry",
            "drain",
            "end",
            "take from",
        ),
        *("settle", "cancel", "bury mine", "bury lost", "replan", "drop"),
        *("queued", "started", "done", "failed", "cancelled", "dead", "cancelling", "owner", "double"),
    }
    assert not {what for what in expected if not seen[what]}
