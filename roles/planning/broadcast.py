"""Broadcast: one task for each node that can do it, as they are at that moment. Pure."""

from collections.abc import Iterable, Sequence

from ...config.names import STEP
from ...errors import PlanError, UsageError
from ...swarm.demand import Demand, Offer, parse_demand, serves
from ...swarm.records import Plan, Request, Task
from ...swarm.subjects import token
from ...swarm.unroutable import why_unroutable
from ..synthesis.quorum import check_quorum

GRACE_S = 2.0
"""How long a node that was asked may be away before it counts as one that does not answer, in seconds."""


def demand_of(request: Request) -> Demand:
    """Return what a node must offer to be asked.

    Raises PlanError when the request does not name exactly one capability, which is what each of them
    is to do.
    """
    try:
        demand = parse_demand(request.demand or "")
    except UsageError as error:
        raise PlanError(f"the broadcast is refused: {error}") from None
    if len(demand.capabilities) != 1:
        raise PlanError("a broadcast needs one capability, which each node is to do: add --capability NAME")
    return demand


def matching(request: Request, offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """Return the offers of the nodes to be asked, by name. Raises PlanError as `demand_of`."""
    demand = demand_of(request)
    return tuple(sorted((o for o in offers if serves(o, demand)), key=lambda offer: offer.node))


def plan_broadcast(request: Request, pattern: Task, offers: Sequence[Offer]) -> Plan:
    """Return a plan in which each node with a matching offer has a task of its own.

    `pattern` is the task as a single node would get it. Raises PlanError where nobody can be asked, or
    fewer nodes than the quorum.
    """
    assert request.broadcast is not None
    demand, asked = demand_of(request), matching(request, offers)
    if not asked:
        raise PlanError(why_unroutable(demand, offers))
    check_quorum(request.broadcast.quorum, len(asked))
    limits = [limit for limit in (pattern.timeout_s, request.broadcast.within_s) if limit is not None]
    changes = {
        "capability": demand.capabilities[0],
        # A node that has gone does not hold the others' answers for ever.
        "unroutable": "fail",
        "grace_s": GRACE_S,
        "timeout_s": min(limits, default=None),
    }
    tasks = [
        pattern.model_copy(update={**changes, "step": step, "demand": str(Demand(node=offer.node))})
        for step, offer in zip(steps_of([offer.node for offer in asked]), asked, strict=True)
    ]
    return Plan(tasks=tuple(tasks))


def steps_of(nodes: Sequence[str]) -> list[str]:
    """Return a step for each node: its name where that can be one, else a token of it."""
    own = {node for node in nodes if STEP.fullmatch(node)}
    return [node if node in own else _free(token(node), own) for node in nodes]


def _free(step: str, taken: set[str]) -> str:
    # A node may bear the very name that is another one's token.
    while step in taken:
        step = f"n{step}"[:64]
    return step
