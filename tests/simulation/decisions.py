"""Decisions: what the simulated processes ask, by default the production functions.

A mutation is a copy with one of them replaced; production code is never patched.
"""

from collections.abc import Callable
from dataclasses import dataclass

from picoclaw.swarm import rules
from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.membership.members import Members
from picoclaw.swarm.records import Delivery
from picoclaw.swarm.release import Share, release
from picoclaw.swarm.rules import Bury, Drop, HolderEvidence, Postpone, Requeue, Start, Zombie

OnDelivery = Start | Bury | Postpone | Drop | Zombie


def on_delivery(
    head: TaskHead, delivery: Delivery, evidence: HolderEvidence, limit: int, now: float
) -> OnDelivery:
    return rules.on_delivery(head, delivery, evidence, max_attempts=limit, now=now)


def on_failure(head: TaskHead, limit: int, drained: bool) -> Requeue | Bury:
    return rules.on_failure(head, max_attempts=limit, drained=drained)


def on_lost_holder(head: TaskHead, evidence: HolderEvidence, limit: int) -> Requeue | Bury | None:
    return rules.on_lost_holder(head, evidence, max_attempts=limit)


def needs_queue_message(head: TaskHead, now: float) -> bool:
    return rules.needs_queue_message(head, HolderEvidence(), now=now)


def evidence(members: Members, head: TaskHead, task: str, in_my_jobs: bool) -> HolderEvidence:
    return members.evidence(head, task=task, in_my_jobs=in_my_jobs)


def run_dead(members: Members, node: str, run: str, since: float) -> bool:
    return members.run_dead(node, run, since)


def share_out(shares: list[Share], slots: int, coordinators: int, turn: int) -> dict[str, int]:
    return release(shares, slots=slots, coordinators=coordinators, turn=turn)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Every decision, and the few orders of doing that are rules themselves."""

    on_delivery: Callable[[TaskHead, Delivery, HolderEvidence, int, float], OnDelivery] = on_delivery
    on_failure: Callable[[TaskHead, int, bool], Requeue | Bury] = on_failure
    on_lost_holder: Callable[[TaskHead, HolderEvidence, int], Requeue | Bury | None] = on_lost_holder
    needs_queue_message: Callable[[TaskHead, float], bool] = needs_queue_message
    may_publish: Callable[[TaskHead, float], bool] = needs_queue_message
    evidence: Callable[[Members, TaskHead, str, bool], HolderEvidence] = evidence
    run_dead: Callable[[Members, str, str, float], bool] = run_dead
    share_out: Callable[[list[Share], int, int, int], dict[str, int]] = share_out
    members: type[Members] = Members
    lists: Callable[[bool], bool] = lambda started: True
    """Whether a heartbeat lists a task, given whether its `started` is written."""
    result_expects: Callable[[int], int | None] = lambda mine: mine
    """What a result's append expects; None: anything."""
    elder_first: bool = True
    """A run ends its own fenced job of a task before it starts that task again."""
    gives_way: bool = True
    """Of two deliveries in one run that come to their start at once, the fenced one gives way."""
    looks_first: bool = True
    """An owner looks who owns the request before it expects the sequence that it last heard of."""
    look_ends_first: bool = True
    """An owner ends nothing that a look at its plan may save, and no request, before that look has ended."""
    fence_first: bool = True
    """An owner fences a lost holder, then hands its message back."""
    log_first: bool = True
    """An owner writes `queued`, then publishes."""
    result_first: bool = True
    """A worker writes its result, then acks."""
