"""Leadership: when a worker takes the coordinator's role, and when it gives it back. Pure.

A coordinator by role always goes first. Where none lives, one promotable worker leads, by a lease; two
at once would be harmless, as every decision is an append by compare-and-set (DESIGN.md section 3).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Stance = Literal["follow", "contend", "lead", "step down"]
"""`follow`: leave it to others. `contend`: try to take the lease. `lead`: go on. `step down`: give back."""


@dataclass(frozen=True, slots=True)
class Leader:
    """A run that coordinates."""

    node: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another node that coordinates, as this process sees it."""

    node: str
    run: str
    by_role: bool
    """Its role is coordinator; else it is a worker that was promoted."""
    gone: bool
    """Its run is dead by what a decision may go by (`liveness`), or it is leaving."""
    well: bool = True
    """Nothing makes it suspicious: it may be relied on."""

    @property
    def leader(self) -> Leader:
        return Leader(self.node, self.run)


def stance(
    peers: Iterable[Peer], *, leads: bool, held: bool, in_touch: bool, settled: bool, certain: bool
) -> Stance:
    """Return what a promotable node should do about the role.

    `leads`: it has the role now; `held`: and its lease. `in_touch`: its own heartbeats come back to
    it; `settled`: for so long that who lives is back (`liveness`); `certain`: it may declare others
    dead, so that who is missing from its table is not there.
    """
    known = list(peers)
    if leads:
        returned = any(peer.by_role and peer.well and not peer.gone for peer in known)
        return "lead" if held and not returned else "step down"
    if not in_touch or any(not peer.gone for peer in known):
        return "follow"
    # Where nobody ever led, only time tells that nobody is on the way; a death that is known is enough.
    return "contend" if certain or (settled and known) else "follow"


def heirs(peers: Iterable[Peer]) -> list[Leader]:
    """Return who may take over requests: the living coordinators by role, else the promoted one."""
    living = [peer for peer in peers if peer.well and not peer.gone]
    by_role = [peer.leader for peer in living if peer.by_role]
    return by_role or [peer.leader for peer in living]
