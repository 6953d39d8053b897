"""Heartbeats: the record by which a node says that it lives, what it offers and what it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from ..demand import Offer
from ..records import Record


class Heartbeat(Record):
    """Heartbeat and advert in one; the last one per node is what late joiners read."""

    kind_name: ClassVar[str] = "heartbeat"
    node: str
    run: str
    sid: str = ""
    role: str
    beat: int
    """Counts from 1 within a run."""
    interval_s: Annotated[float, Field(gt=0, le=86_400)]
    timeout_s: Annotated[float, Field(gt=0, le=864_000)]
    """The node's own timeout: silent for longer, it is offline."""
    slots: Annotated[int, Field(ge=0, le=100_000)]
    tasks: tuple[str, ...] = ()
    """Ids of the tasks that it holds: from before `started` until their end is written down."""
    draining: bool = False
    goodbye: bool = False
    capabilities: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    """Role marks such as `coordination`."""
    general: bool = False
    not_ready: dict[str, str] = Field(default_factory=dict)
    """Declared capabilities that it cannot serve now, and what they need."""
    labels: dict[str, str] = Field(default_factory=dict)
    agents: tuple[str, ...] = ()
    leads: bool | None = None
    """It coordinates, whatever its role: True of coordinators and of workers that were promoted."""
    promotable: bool | None = None
    """It takes the role of a coordinator while nobody has it; None: it does not."""
    sandbox: str | None = None
    """What commands of agents run in on it: `bubblewrap` or `none`; None: it has no model for agents."""
    optional: dict[str, str] = Field(default_factory=dict)
    """Agents that are programs of others and not ready here, with what they need; nobody asked for them."""
    started: float
    """Seconds that the run had lived when it sent this one."""
    born: float = 0.0
    """Server time at which the run joined: of two runs of one name the later one counts. 0: not known."""
    host: str = ""
    pid: int = 0
    version: str = ""
    store: int = 1
    """Store version that it writes."""

    @property
    def offer(self) -> Offer:
        return Offer(
            node=self.node,
            role=self.role,
            capabilities=frozenset(self.capabilities),
            general=self.general,
            named=frozenset(self.named),
            labels=self.labels,
            agents=frozenset(self.agents),
            not_ready=self.not_ready,
            optional=self.optional,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Advert:
    """What a node says of itself, apart from what changes with every beat."""

    node: str
    run: str
    sid: str
    role: str
    slots: int
    capabilities: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    general: bool = False
    not_ready: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    leads: bool | None = None
    promotable: bool | None = None
    sandbox: str | None = None
    optional: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    pid: int = 0
    version: str = ""
