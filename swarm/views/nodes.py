"""Nodes as people see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..demand import Demand, Offer, serves
from ..membership.heartbeat import Heartbeat
from ..membership.liveness import NodeStatus, Sign, node_status
from .held import HeldTo


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node; ages in seconds."""

    name: str
    role: str
    status: NodeStatus
    why: str = ""
    """Why it is offline or suspicious."""
    capabilities: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    general: bool = False
    not_ready: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    leads: bool = False
    """It says that it coordinates; ask `coordinates`, which knows nodes of older versions too."""
    promotable: bool = False
    """It takes the coordinator's role while nobody has it."""
    sandbox: str | None = None
    """What commands of agents run in on it; None: it runs none."""
    optional: Mapping[str, str] = field(default_factory=dict)
    """Agents that are programs of others and not ready on it, with what they need."""
    tasks: tuple[str, ...] = ()
    slots: int
    heard_s: float
    """Since its last heartbeat, by the server's time."""
    uptime_s: float = 0.0
    run: str = ""
    sid: str = ""
    host: str = ""
    pid: int = 0
    version: str = ""
    offer: Offer | None = None

    @property
    def used(self) -> int:
        return len(self.tasks)

    @property
    def coordinates(self) -> bool:
        """Whether it coordinates, by its role or promoted."""
        return self.leads or self.role == "coordinator"

    @property
    def promoted(self) -> bool:
        """Whether it has taken the coordinator's role, being none."""
        return self.leads and self.role != "coordinator"

    @property
    def lives(self) -> bool:
        """Whether it may take work or lead."""
        return self.status not in ("offline", "draining")


def seen_status(sign: Sign, now: float) -> tuple[NodeStatus, str]:
    """Return what a look shows of a node, and why; `now` on the sign's clock, in seconds.

    Whoever only looks concludes nothing, so one probe that finds nobody is enough to show a node as
    offline. A decision needs two (`liveness`).
    """
    status = node_status(sign, now)
    silence = f"no heartbeat for {now - sign.last_heard:.0f} s"
    if sign.goodbye:
        return "offline", "it left the swarm"
    if sign.absent_since is not None:
        return "offline", "its connection is gone"
    if status == "offline":
        return "offline", silence
    if status == "suspicious":
        return "suspicious", "it does not answer" if sign.silent_probe else silence
    return status, ""


def node_row(beat: Heartbeat, sign: Sign, now: float) -> NodeRow:
    """Return the row of a node; `now` on the clock of its sign."""
    status, why = seen_status(sign, now)
    heard = max(0.0, now - sign.last_heard)
    return NodeRow(
        name=beat.node,
        role=beat.role,
        status=status,
        why=why,
        capabilities=beat.capabilities,
        marks=beat.marks,
        general=beat.general,
        not_ready=dict(beat.not_ready),
        labels=dict(beat.labels),
        agents=beat.agents,
        leads=bool(beat.leads),
        promotable=bool(beat.promotable),
        sandbox=beat.sandbox,
        optional=dict(beat.optional),
        tasks=() if status == "offline" else beat.tasks,
        slots=beat.slots,
        heard_s=heard,
        uptime_s=beat.started + (0.0 if status == "offline" else heard),
        run=beat.run,
        sid=beat.sid,
        host=beat.host,
        pid=beat.pid,
        version=beat.version,
        offer=beat.offer,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Who is there, and the server's time, at one look."""

    nodes: tuple[NodeRow, ...] = ()
    now: float
    """Server time, in seconds since the epoch."""
    held_to: HeldTo = field(default_factory=HeldTo)
    """The caps and quotas of the swarm."""
    asks: Mapping[str, str] = field(default_factory=dict)
    """By task, the question that its agent asks people."""
    paused: Mapping[str, str] = field(default_factory=dict)
    """By request, who holds its agents, and why, in words."""

    @property
    def offers(self) -> Sequence[Offer]:
        """What the living nodes offer."""
        return [row.offer for row in self.nodes if row.lives and row.offer is not None]

    @property
    def coordinators(self) -> Sequence[str]:
        """Names of the living nodes that coordinate, by role or promoted."""
        return [row.name for row in self.nodes if row.lives and row.coordinates]

    @property
    def successors(self) -> Sequence[str]:
        """Names of the living nodes that take the coordinator's role while nobody has it."""
        return [row.name for row in self.nodes if row.lives and row.promotable]

    def servers(self, demand: Demand) -> Sequence[NodeRow]:
        """Return the living nodes that serve a demand."""
        return [row for row in self.nodes if row.lives and row.offer and serves(row.offer, demand)]

    def status(self, node: str) -> NodeStatus:
        """Return a node's status; a node never heard of is offline."""
        return next((row.status for row in self.nodes if row.name == node), "offline")

    def run_lives(self, node: str, run: str) -> bool:
        """Return whether a run is among the nodes that are not offline."""
        return any(row.name == node and row.run == run and row.status != "offline" for row in self.nodes)
