"""Why a demand finds no node: which live nodes come near, and what each of them lacks. Pure."""

from collections.abc import Sequence

from ..config.names import expand_capabilities
from ..config.spelling import nearest_word
from .demand import Demand, Offer, missing

SHOWN = 2
"""How many near nodes a text names."""


def nearest(demand: Demand, offers: Sequence[Offer]) -> list[tuple[str, tuple[str, ...]]]:
    """Return every node with what it lacks, those that lack least first; ties by node name."""
    lacks = [(offer.node, missing(demand, offer)) for offer in offers]
    return sorted(lacks, key=lambda entry: (len(entry[1]), entry[0]))


def why_unroutable(demand: Demand, offers: Sequence[Offer]) -> str:
    """Say in one line why no node takes tasks with this demand; empty when one does.

    `no node offers security; nearest: claw-1a2b3c4d (lacks capability security)`
    """
    if not offers:
        return f"no node is online to serve {demand}"
    near = nearest(demand, offers)
    if not near[0][1]:
        return ""
    if demand.node is not None:
        names = [offer.node for offer in offers]
        closest = nearest_word(demand.node, names)
        hint = f"; nearest: {closest}" if closest else f"; online: {_some(sorted(names))}"
        return f"node {demand.node} is not online{hint}"
    shown = "; ".join(f"{node} (lacks {', '.join(lacks)})" for node, lacks in near[:SHOWN] if near)
    return f"no node offers {demand}{_respelled(demand, offers)}; nearest: {shown}"


def _respelled(demand: Demand, offers: Sequence[Offer]) -> str:
    """Name the advertised capability or agent that is spelled like one which nobody has."""
    offered = {name for offer in offers for name in expand_capabilities(offer.capabilities)}
    agents = {name for offer in offers for name in offer.agents}
    meant: list[str] = []
    for name in demand.capabilities:
        closest = nearest_word(name, offered) if name not in offered else None
        if closest is not None:
            meant.append(closest)
    if demand.agent is not None and demand.agent not in agents:
        closest = nearest_word(demand.agent, agents)
        if closest is not None:
            meant.append(f"agent:{closest}")
    return f" (did you mean {', '.join(meant)}?)" if meant else ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
