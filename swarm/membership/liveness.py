"""Liveness: what an observer may conclude about a node from its heartbeats and probes. Pure.

Ages are measured on the observer's monotonic clock, in seconds (DESIGN.md sections 3 and 5).

**Silence and absence.** That a run is not heard may be the observer's own ears, or a server that was
away for everybody: only who has heard itself for a whole node timeout may conclude anything from it.
That the broker has nobody for its probe subject (absence) is the broker's own word, and can mislead in
one way only: the run was connected to a server that went, lives, and has not found its way back yet. So
an observer that is new, or that has just reconnected, believes two absences earlier than a node timeout
when both hold:

- The run's heartbeat stands in the stream that the observer reads now (`Sign.here`): it was there when
  the observer came, or was stored since its last reconnect. That stream is in memory. On a single server
  it died with the server, so the run was connected to this very server and has lost this connection
  since, as an established observer would see it too.
- The observer has heard itself for `SETTLED_AFTER`. In a cluster the stream outlives one server, and
  several may have been away together; every living node tries again twice a second, and is back before
  that. An observer whose server is cut off from the stream's leader does not hear itself at all.

Who is not in the table, and whose heartbeat was heard only before a reconnect, is left to the node
timeout. A mistake costs an attempt and never a result: the log's compare-and-set decides.
"""

from dataclasses import dataclass
from typing import Literal

NodeStatus = Literal["online", "busy", "suspicious", "offline", "draining"]

BUSY_SHARE = 0.6
SUSPICIOUS_INTERVALS = 2.5
PROBE_PAUSE = 1.0
"""Seconds between the two probes that find nobody, for a death to be believed."""
SETTLED_AFTER = 5.0
"""Seconds after which every living node has found a server again that was away."""


@dataclass(frozen=True, slots=True)
class Sign:
    """What is known of one run of one node."""

    last_heard: float
    """When its last heartbeat came, monotonic seconds."""
    interval: float
    timeout: float
    slots: int
    used: int
    draining: bool = False
    goodbye: bool = False
    silent_probe: bool = False
    """Its last probe timed out: it is there, but does not answer."""
    absent_since: float | None = None
    """When a probe first found nobody listening, without an answer since."""
    absent_again: float | None = None
    """When a later probe, at least a second on, still found nobody."""
    here: bool = True
    """Its heartbeat stands in the stream that the observer reads now; False: only in an earlier one."""


def node_status(sign: Sign, now: float) -> NodeStatus:
    """Return what people see."""
    age = now - sign.last_heard
    if sign.goodbye or age > sign.timeout or found_absent(sign):
        return "offline"
    if sign.silent_probe or sign.absent_since is not None or age > SUSPICIOUS_INTERVALS * sign.interval:
        return "suspicious"
    if sign.draining:
        return "draining"
    return "busy" if sign.slots and sign.used / sign.slots >= BUSY_SHARE else "online"


def found_absent(sign: Sign) -> bool:
    """Return whether two probes, a second apart, found that the broker has lost the run."""
    return (
        sign.absent_since is not None
        and sign.absent_again is not None
        and sign.absent_again - sign.absent_since >= PROBE_PAUSE
    )


def is_dead(sign: Sign, now: float, *, may_declare: bool, settled: bool = False) -> bool:
    """Return whether the run counts as dead for a decision.

    A goodbye is the run's own word and needs no observer; silence needs one that `may_declare`, absence
    one that is at least `settled` (see above).
    """
    if sign.goodbye:
        return True
    if found_absent(sign) and (may_declare or (settled and sign.here)):
        return True
    return may_declare and now - sign.last_heard > sign.timeout


@dataclass(frozen=True, slots=True)
class OwnEchoes:
    """The observer's own heartbeats, as they came back to it."""

    unbroken_since: float | None = None
    """Since when they have come without a gap; None: not yet, or not since the last reconnect."""
    last: float | None = None


def echo(own: OwnEchoes, now: float, *, longest_gap: float) -> OwnEchoes:
    """Return the state after an own heartbeat came back."""
    broken = own.unbroken_since is None or own.last is None or now - own.last > longest_gap
    return OwnEchoes(now if broken else own.unbroken_since, now)


def may_declare(own: OwnEchoes, now: float, *, node_timeout: float, longest_gap: float) -> bool:
    """Return whether this observer may declare others dead.

    Only when it has received its own heartbeats without a gap for a node timeout: one that is cut
    off, or whose server has just come back, judges nobody.
    """
    if own.unbroken_since is None or own.last is None or now - own.last > longest_gap:
        return False
    return now - own.unbroken_since >= node_timeout


def settled(own: OwnEchoes, now: float, *, node_timeout: float, longest_gap: float, after: float) -> bool:
    """Return whether this observer has heard itself for so long that whoever lives is back."""
    return may_declare(own, now, node_timeout=min(after, node_timeout), longest_gap=longest_gap)
