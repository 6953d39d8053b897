"""Why a demand finds no node: which live nodes come near, and what each of them lacks. Pure."""

from collections.abc import Sequence

from ..config.names import expand_capabilities
from ..config.spelling import nearest_word
from .demand import Demand, Offer, missing

SHOWN = 2
"""How many near nodes a text names; they lack equally little."""


def nearest(demand: Demand, offers: Sequence[Offer]) -> list[tuple[str, tuple[str, ...]]]:
    """Return every node with what it lacks, those that lack least first.

    Ties: nodes that offer anything at all go first, then by name.
    """
    ranked = sorted(
        (len(lacks := missing(demand, offer)), not offer.capabilities, offer.node, lacks) for offer in offers
    )
    return [(node, lacks) for _, _, node, lacks in ranked]


def why_unroutable(demand: Demand, offers: Sequence[Offer]) -> str:
    """Say in one line why no node takes tasks with this demand; empty when one does.

    `no node offers security; nearest: claw-1a2b3c4d (lacks capability security); offered: code, docs`
    """
    if not offers:
        return f"no node offers {demand}: none is online"
    if declared := _declared(demand, offers):
        return declared
    if demand.capabilities and not any(offer.capabilities or offer.agents for offer in offers):
        return (
            f"no node offers {demand}: those online ({_some(sorted(o.node for o in offers))}) serve no task"
        )
    near = nearest(demand, offers)
    if not near[0][1]:
        return ""
    if demand.node is not None:
        names = sorted(offer.node for offer in offers)
        closest = nearest_word(demand.node, names)
        return f"node {demand.node} is not online; {f'nearest: {closest}' if closest else f'online: {_some(names)}'}"
    wants = len(demand.capabilities) + len(demand.labels) + (demand.agent is not None)
    fewest = len(near[0][1])
    # Where nobody has any part of it, one node is as good an example as two.
    ties = [entry for entry in near if len(entry[1]) == fewest][: SHOWN if fewest < wants else 1]
    shown = ", ".join(f"{node} (lacks {', '.join(lacks)})" for node, lacks in ties)
    text = f"no node offers {demand}{_respelled(demand, offers)}; nearest: {shown}"
    offered = sorted({name for offer in offers for name in expand_capabilities(offer.capabilities)})
    if offered and not set(demand.capabilities) <= set(offered):
        text += f"; offered: {_some(offered, 8)}"
    return text


def _declared(demand: Demand, offers: Sequence[Offer]) -> str:
    """Name who declares what nobody can serve now, and what it needs; "" where nobody does."""
    ready = {name for offer in offers for name in expand_capabilities(offer.capabilities)}
    for name in demand.capabilities:
        if name in ready:
            continue
        needs = sorted((offer.node, offer.not_ready[name]) for offer in offers if name in offer.not_ready)
        if needs:
            who = "; ".join(
                f"node {node} declares it and cannot serve it now: {why}" for node, why in needs[:SHOWN]
            )
            return (
                f"no node offers {demand}; {who}"
                if demand.capabilities == (name,)
                else (f"no node offers {demand}; for {name}, {who}")
            )
    return ""


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


def _some(names: list[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
