"""Mutations: each rule of DESIGN.md section 3, left out once; each must turn the simulation red."""

from dataclasses import replace
from datetime import timedelta

from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.follow import Followed
from picoclaw.swarm.membership.members import Members
from picoclaw.swarm.records import Delivery
from picoclaw.swarm.rules import Bury, Drop, HolderEvidence, Postpone, Requeue, Start, Zombie, spent

from .decisions import Decisions, OnDelivery, evidence, on_delivery, on_failure, on_lost_holder

DEFAULT = Decisions()


# --- evidence ---


def _of_the_name(members: Members, head: TaskHead, task: str, in_my_jobs: bool) -> HolderEvidence:
    """Take whatever run bears the holder's name for the holder."""
    member = members.table.get(head.node)
    run = member.beat.run if member is not None else head.run
    return evidence(members, replace(head, run=run), task, in_my_jobs)


def _dead_by_name(members: Members, node: str, run: str, since: float) -> bool:
    """Take a name's latest run for the one that is asked for."""
    member = members.table.get(node)
    return members.run_dead(node, member.beat.run if member is not None else run, since)


class Reckless(Members):
    """Declares others dead although it may itself be the one that is cut off."""

    @property
    def may_declare(self) -> bool:
        return True


class Hasty(Members):
    """Believes that somebody is absent although the server has only just come back."""

    @property
    def settled(self) -> bool:
        return True

    def take(self, followed: Followed, *, live: bool) -> None:
        super().take(followed, live=live)
        self._all_here()

    def reconnected(self) -> None:
        super().reconnected()
        self._all_here()

    def _all_here(self) -> None:
        for name in self.table:
            self._note(name, here=True)


def _never_my_job(members: Members, head: TaskHead, task: str, in_my_jobs: bool) -> HolderEvidence:
    """Take a task of its own for lost although its job table holds it."""
    found = evidence(members, head, task, in_my_jobs)
    return replace(found, in_my_jobs=False) if found.mine else found


def _any_heartbeat(members: Members, head: TaskHead, task: str, in_my_jobs: bool) -> HolderEvidence:
    """Believe a heartbeat from before `started` as well."""
    found = evidence(members, head, task, in_my_jobs)
    return found if found.beat_without_task is None else replace(found, beat_without_task=1_000_000)


# --- on a delivery ---


def _at_once(head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float) -> OnDelivery:
    """Start although `not before` lies ahead."""
    return on_delivery(replace(head, not_before=None), delivery, found, limit, now)


def _same_attempt(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    """Supersede without taking the next attempt."""
    decision = on_delivery(head, delivery, found, limit + 1, now)
    if head.state == "running" and isinstance(decision, Start):
        return replace(decision, attempt=head.attempt)
    return decision


def _no_limit(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    """Supersede past the limit."""
    return on_delivery(head, delivery, found, 1000, now)


def _no_evidence(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    """Supersede whoever holds it, as if the delivery proved something."""
    return on_delivery(head, delivery, HolderEvidence(run_dead=True, may_declare=True), limit, now)


def _zombie_acks(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    decision = on_delivery(head, delivery, found, limit, now)
    return Drop() if isinstance(decision, Zombie) else decision


def _zombie_fights(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    """Supersede a newer delivery."""
    decision = on_delivery(head, delivery, found, limit, now)
    return Start(head.seq, head.attempt + 1, head.excused) if isinstance(decision, Zombie) else decision


def _never_drops(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    decision = on_delivery(head, delivery, found, limit, now)
    return Postpone(timedelta(seconds=1)) if isinstance(decision, Drop) else decision


def _runs_the_ended(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    decision = on_delivery(head, delivery, found, limit, now)
    return Start(head.seq, head.attempt + 1, head.excused) if isinstance(decision, Drop) else decision


def _drops_the_queued(
    head: TaskHead, delivery: Delivery, found: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    """Drop a task whose turn has not come, instead of handing it back."""
    decision = on_delivery(head, delivery, found, limit, now)
    return Drop() if isinstance(decision, Postpone) else decision


# --- retries, death, drains ---


def _free_retries(head: TaskHead, limit: int, drained: bool) -> Requeue | Bury:
    return on_failure(head, 1000, drained)


def _drain_counts(head: TaskHead, limit: int, drained: bool) -> Requeue | Bury:
    decision = on_failure(head, 1000, False) if drained else on_failure(head, limit, False)
    return decision


def _free_deaths(head: TaskHead, found: HolderEvidence, limit: int) -> Requeue | Bury | None:
    return on_lost_holder(head, found, 1000)


def _same_attempt_after_death(head: TaskHead, found: HolderEvidence, limit: int) -> Requeue | Bury | None:
    decision = on_lost_holder(head, found, limit)
    return replace(decision, attempt=head.attempt) if isinstance(decision, Requeue) else decision


def _early_burial(head: TaskHead, found: HolderEvidence, limit: int) -> Requeue | Bury | None:
    """Count the attempt that is lost twice."""
    if spent(head.attempt + 1, head.excused) >= limit:
        decision = on_lost_holder(head, found, limit)
        return Bury(decision.expected, head.attempt) if decision is not None else None
    return on_lost_holder(head, found, limit)


MUTATIONS: dict[str, Decisions] = {
    "run identity: a holder is known by its name": replace(DEFAULT, evidence=_of_the_name),
    "run identity: an owner is known by its name": replace(DEFAULT, run_dead=_dead_by_name),
    "early listing: a heartbeat lists a task only after `started`": replace(
        DEFAULT, lists=lambda started: started
    ),
    "the beat: a heartbeat from before `started` is believed": replace(DEFAULT, evidence=_any_heartbeat),
    "the observer's guard: who is cut off declares others dead": replace(DEFAULT, members=Reckless),
    "absence: who has just come back believes it at once": replace(DEFAULT, members=Hasty),
    "own job table: a run supersedes its own job": replace(DEFAULT, evidence=_never_my_job),
    "own elder: a run starts a task beside its own fenced job": replace(DEFAULT, elder_first=False),
    "own elder: two deliveries of one task wait for each other": replace(DEFAULT, gives_way=False),
    "ownership: an owner ends a request without looking who owns it": replace(DEFAULT, looks_first=False),
    "not before: a retry starts at once": replace(DEFAULT, on_delivery=_at_once),
    "attempts: superseding takes no new attempt": replace(DEFAULT, on_delivery=_same_attempt),
    "attempts: superseding has no limit": replace(DEFAULT, on_delivery=_no_limit),
    "attempts: retries have no limit": replace(DEFAULT, on_failure=_free_retries),
    "attempts: deaths have no limit": replace(DEFAULT, on_lost_holder=_free_deaths),
    "attempts: a death takes no new attempt": replace(DEFAULT, on_lost_holder=_same_attempt_after_death),
    "attempts: the last attempt is never made": replace(DEFAULT, on_lost_holder=_early_burial),
    "attempts: a drain's hand-back costs one": replace(DEFAULT, on_failure=_drain_counts),
    "evidence: a delivery proves that the holder is gone": replace(DEFAULT, on_delivery=_no_evidence),
    "zombie: an older delivery acks": replace(DEFAULT, on_delivery=_zombie_acks),
    "zombie: an older delivery supersedes a newer one": replace(DEFAULT, on_delivery=_zombie_fights),
    "drop: an ended task's message stays": replace(DEFAULT, on_delivery=_never_drops),
    "drop: an ended task runs again": replace(DEFAULT, on_delivery=_runs_the_ended),
    "postpone: a message is acked instead of handed back": replace(DEFAULT, on_delivery=_drops_the_queued),
    "compare-and-set: a result expects nothing": replace(DEFAULT, result_expects=lambda mine: None),
    "order: hand back, then fence": replace(DEFAULT, fence_first=False),
    "order: a request ends, then a look at its plan": replace(DEFAULT, look_ends_first=False),
    "order: queue, then log": replace(DEFAULT, log_first=False, may_publish=lambda head, now: True),
    "order: ack, then result": replace(DEFAULT, result_first=False),
    "publish: a task that has moved on gets a message all the same": replace(
        DEFAULT, may_publish=lambda head, now: True
    ),
    "reconcile: missing queue messages stay missing": replace(
        DEFAULT, needs_queue_message=lambda head, now: False
    ),
}

SOONEST = {
    "order: a request ends, then a look at its plan": 112,
    "own elder: a run starts a task beside its own fenced job": 1406,
    "the observer's guard: who is cut off declares others dead": 237,
    "absence: who has just come back believes it at once": 237,
    "run identity: a holder is known by its name": 111,
    "own elder: two deliveries of one task wait for each other": 620,
    "ownership: an owner ends a request without looking who owns it": 1430,
}
"""Where to begin to look for what shows but rarely; it only saves time."""
