"""From what, where and who to the demand of a single task."""

from collections.abc import Mapping

from ..errors import UsageError
from ..swarm.demand import NODE_PREFIX, parse_demand


def demand_of(
    capability: str | None, node: str | None, labels: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return the demand, and what is to be done where the demand says only where; None: none is made.

    Raises UsageError, NameRefused or PlanError for what does not go together.
    """
    if capability is not None and capability.strip().startswith(NODE_PREFIX):
        name = capability.strip().removeprefix(NODE_PREFIX) or "NAME"
        raise UsageError(
            f"capability {capability[:80]!r} says where, not what is to be done: name the node {name[:80]} as the "
            "node (--node), and what it is to do as the capability (--capability)"
        )
    if node is not None:
        if labels:
            raise UsageError("a node is named already: leave out the labels")
        demand = str(parse_demand(NODE_PREFIX + node))
        if capability is None:
            return demand, None
        does = parse_demand(capability)
        if len(does.capabilities) != 1 or does.labels:
            raise UsageError(f"capability {capability!r} at a node: give one capability, without labels")
        return demand, does.capabilities[0]
    if capability is None:
        if labels:
            raise UsageError(
                "labels say which nodes may do it, but not what they are to do: add a capability"
            )
        return None, None
    return str(parse_demand(capability, labels)), None
