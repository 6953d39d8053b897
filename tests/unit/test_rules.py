"""The redelivery rules of DESIGN.md section 3, one named test each, and what holds for all of them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import TERMINAL, Delivery, State
from picoclaw.swarm.rules import (
    LONGEST_NAK,
    NO_EVIDENCE_DELAY,
    Bury,
    Drop,
    HolderEvidence,
    Postpone,
    Requeue,
    Start,
    Zombie,
    backoff,
    holder_is_gone,
    needs_queue_message,
    on_delivery,
    on_failure,
    on_lost_holder,
    spent,
)
from picoclaw.tests.support.strategies import ENDED, attempts, deliveries, evidences, heads, times

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

NOTHING = HolderEvidence()
DEAD = HolderEvidence(run_dead=True, may_declare=True)
FIRST, SECOND = Delivery(seq=7, count=1), Delivery(seq=7, count=2)


def queued(**more: object) -> TaskHead:
    return replace(TaskHead(seq=5, id="q", state="queued", attempt=1, demand="code"), **more)  # type: ignore[arg-type]


def running(**more: object) -> TaskHead:
    head = TaskHead(
        seq=6, id="s", state="running", attempt=1, demand="code", node="n", run="r", delivery=FIRST, beat=3
    )
    return replace(head, **more)  # type: ignore[arg-type]


def decide(
    head: TaskHead,
    delivery: Delivery = SECOND,
    evidence: HolderEvidence = NOTHING,
    *,
    limit: int = 3,
    now: float = 100.0,
) -> Start | Bury | Postpone | Drop | Zombie:
    return on_delivery(head, delivery, evidence, max_attempts=limit, now=now)


def test_the_ended_states_are_all_covered_here() -> None:
    assert set(ENDED) == TERMINAL


# --- a redelivery, or a refused append ---


@pytest.mark.parametrize("state", ENDED)
def test_a_task_that_has_ended_is_acked_and_dropped(state: State) -> None:
    assert decide(queued(state=state)) == Drop()


def test_a_task_whose_log_was_purged_is_acked_and_dropped() -> None:
    assert decide(TaskHead()) == Drop()


def test_a_queued_task_starts_expecting_exactly_its_last_entry() -> None:
    assert decide(queued(attempt=2, excused=1)) == Start(expected=5, attempt=2, excused=1)


def test_a_queued_task_waits_out_its_not_before() -> None:
    head = queued(not_before=130.5)
    assert decide(head, now=100.0) == Postpone(timedelta(seconds=30.5))
    assert decide(head, now=130.5) == Start(5, 1, 0)


@pytest.mark.parametrize(
    "older", [Delivery(seq=7, count=2), Delivery(seq=7, count=1), Delivery(seq=6, count=9)]
)
def test_a_task_that_a_newer_or_equal_delivery_runs_makes_me_the_zombie(older: Delivery) -> None:
    head = running(delivery=Delivery(seq=7, count=2))
    assert decide(head, older) == Zombie()
    assert decide(head, older, DEAD) == Zombie(), "no evidence lets an old delivery take over"


@pytest.mark.parametrize("newer", [Delivery(seq=7, count=2), Delivery(seq=8, count=1)])
def test_a_task_that_an_older_delivery_runs_waits_while_nothing_proves_its_holder_gone(
    newer: Delivery,
) -> None:
    assert decide(running(), newer) == Postpone(NO_EVIDENCE_DELAY)


def test_a_task_that_an_older_delivery_runs_is_superseded_on_evidence() -> None:
    assert decide(running(), SECOND, DEAD) == Start(expected=6, attempt=2, excused=0)


def test_superseding_takes_the_next_attempt_and_keeps_what_is_excused() -> None:
    assert decide(running(attempt=4, excused=2), SECOND, DEAD) == Start(6, 5, 2)


def test_superseding_past_the_limit_appends_dead_instead_by_the_same_compare_and_set() -> None:
    assert decide(running(attempt=3), SECOND, DEAD, limit=3) == Bury(expected=6, attempt=3)


def test_a_log_that_holds_only_foreign_messages_waits_for_its_owner() -> None:
    assert decide(TaskHead(seq=4), SECOND, DEAD) == Postpone(NO_EVIDENCE_DELAY)


# --- evidence ---


def test_a_dead_run_is_evidence() -> None:
    assert holder_is_gone(running(), DEAD)


def test_a_heartbeat_after_started_that_does_not_list_the_task_is_evidence() -> None:
    assert holder_is_gone(running(beat=3), HolderEvidence(beat_without_task=4, may_declare=True))


def test_a_heartbeat_from_before_started_is_no_evidence() -> None:
    assert not holder_is_gone(running(beat=3), HolderEvidence(beat_without_task=3, may_declare=True))


def test_an_observer_that_may_declare_nobody_dead_supersedes_nobody() -> None:
    cut_off = HolderEvidence(run_dead=True, beat_without_task=9, may_declare=False)
    assert not holder_is_gone(running(), cut_off)
    assert decide(running(), SECOND, cut_off) == Postpone(NO_EVIDENCE_DELAY)


def test_of_itself_a_worker_asks_its_own_job_table_not_its_heartbeat() -> None:
    stale_beat = HolderEvidence(
        mine=True, in_my_jobs=True, beat_without_task=9, run_dead=True, may_declare=True
    )
    assert not holder_is_gone(running(), stale_beat)
    assert holder_is_gone(running(), HolderEvidence(mine=True, in_my_jobs=False))


# --- retries, death, drains ---


def test_a_failed_attempt_is_queued_again_with_the_next_attempt() -> None:
    assert on_failure(running(), max_attempts=3) == Requeue(expected=6, attempt=2, excused=0)


def test_a_failed_last_attempt_appends_dead() -> None:
    assert on_failure(running(attempt=3), max_attempts=3) == Bury(expected=6, attempt=3)


def test_a_drains_hand_back_costs_no_attempt() -> None:
    handed_back = on_failure(running(attempt=3), max_attempts=3, drained=True)
    assert handed_back == Requeue(expected=6, attempt=4, excused=1)
    assert spent(4, 1) == spent(3, 0)


def test_the_owner_takes_a_task_from_a_dead_holder_by_compare_and_set_on_its_started() -> None:
    assert on_lost_holder(running(), DEAD, max_attempts=3) == Requeue(expected=6, attempt=2, excused=0)


def test_the_owner_leaves_a_task_alone_whose_holder_may_live() -> None:
    assert on_lost_holder(running(), NOTHING, max_attempts=3) is None


def test_the_owner_buries_a_task_whose_last_attempt_died_with_its_holder() -> None:
    assert on_lost_holder(running(attempt=3), DEAD, max_attempts=3) == Bury(expected=6, attempt=3)


# --- the queue message ---


def test_a_queued_task_needs_its_message_once_its_time_has_come() -> None:
    assert needs_queue_message(queued(), NOTHING, now=0)
    assert needs_queue_message(queued(not_before=9.0), NOTHING, now=9.0)
    assert not needs_queue_message(queued(not_before=9.5), NOTHING, now=9.0)


def test_a_running_task_needs_its_message_once_its_holder_is_gone() -> None:
    assert needs_queue_message(running(), DEAD, now=0)
    assert not needs_queue_message(running(), NOTHING, now=0)


@pytest.mark.parametrize("state", ["planned", *ENDED])
def test_a_task_that_is_not_released_or_has_ended_needs_no_message(state: State) -> None:
    assert not needs_queue_message(queued(state=state), DEAD, now=0)


# --- what holds for every log and every delivery ---


@given(heads(), deliveries, evidences, attempts, times)
def test_every_append_that_a_delivery_leads_to_expects_the_last_entry(
    head: TaskHead, delivery: Delivery, evidence: HolderEvidence, limit: int, now: float
) -> None:
    decision = on_delivery(head, delivery, evidence, max_attempts=limit, now=now)
    if isinstance(decision, Start | Bury):
        assert decision.expected == head.seq > 0


@given(heads("running"), deliveries, evidences, attempts, times)
def test_no_two_started_share_an_attempt_and_none_passes_the_limit(
    head: TaskHead, delivery: Delivery, evidence: HolderEvidence, limit: int, now: float
) -> None:
    decision = on_delivery(head, delivery, evidence, max_attempts=limit, now=now)
    if isinstance(decision, Start):
        assert decision.attempt == head.attempt + 1
        assert spent(decision.attempt, decision.excused) <= limit


@given(heads(*ENDED), deliveries, evidences, attempts, times)
def test_nothing_makes_an_ended_task_run_again(
    head: TaskHead, delivery: Delivery, evidence: HolderEvidence, limit: int, now: float
) -> None:
    assert on_delivery(head, delivery, evidence, max_attempts=limit, now=now) == Drop()
    assert on_lost_holder(head, evidence, max_attempts=limit) is None
    assert not needs_queue_message(head, evidence, now=now)


@given(heads("running"), deliveries, evidences, attempts, times)
def test_a_holder_is_superseded_only_by_a_newer_delivery_and_on_evidence(
    head: TaskHead, delivery: Delivery, evidence: HolderEvidence, limit: int, now: float
) -> None:
    assert head.delivery is not None
    decision = on_delivery(head, delivery, evidence, max_attempts=limit, now=now)
    may = delivery.newer_than(head.delivery) and holder_is_gone(head, evidence)
    assert isinstance(decision, Start | Bury) == may


@given(heads("queued"), deliveries, evidences, attempts, times)
def test_nothing_starts_before_its_time(
    head: TaskHead, delivery: Delivery, evidence: HolderEvidence, limit: int, now: float
) -> None:
    decision = on_delivery(head, delivery, evidence, max_attempts=limit, now=now)
    if head.not_before is not None and now < head.not_before:
        assert isinstance(decision, Postpone)
    else:
        assert decision == Start(head.seq, head.attempt, head.excused)


@given(heads("running"), attempts, st.booleans())
def test_a_holder_that_gives_up_spends_one_attempt_or_none_and_never_passes_the_limit(
    head: TaskHead, limit: int, drained: bool
) -> None:
    decision = on_failure(head, max_attempts=limit, drained=drained)
    before = spent(head.attempt, head.excused)
    if isinstance(decision, Requeue):
        after = spent(decision.attempt, decision.excused)
        assert after == before + (not drained)
        assert after <= limit
        assert decision.attempt == head.attempt + 1
    else:
        assert before + (not drained) > limit


@given(heads("running"), evidences, st.booleans())
def test_more_knowledge_never_makes_a_holder_less_gone(
    head: TaskHead, evidence: HolderEvidence, mine: bool
) -> None:
    if not evidence.mine and holder_is_gone(head, evidence):
        assert holder_is_gone(head, replace(evidence, run_dead=True))
        assert not holder_is_gone(head, replace(evidence, may_declare=False))


@given(st.integers(1, 10_000))
def test_the_pause_between_attempts_doubles_up_to_its_limit(attempt: int) -> None:
    pause = backoff(attempt)
    assert timedelta(seconds=1) <= pause <= timedelta(minutes=5)
    assert backoff(attempt + 1) == min(2 * pause, timedelta(minutes=5))
    assert backoff(attempt, longest=LONGEST_NAK) <= LONGEST_NAK
