"""Settings: what a node is told, after all sources are merged and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

Role = Literal["coordinator", "worker", "specialist"]
Profile = Literal["small", "medium", "large"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Files of the TLS connection; all None means the system's certificate authorities."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings:
    """How to reach NATS, and the rhythm of membership."""

    urls: tuple[str, ...] = field(default=("nats://localhost:4222",), repr=False)
    """May hold passwords, so never shown as they are: see `urls.redact_url`."""
    embedded: bool = False
    """Share one nats-server among this user's processes on this machine."""
    credentials: str | None = field(default=None, repr=False)
    """A `.creds` file, a file with an nkey seed, an nkey seed, a token or `user:password`."""
    token: str | None = field(default=None, repr=False)
    tls: TlsSettings = TlsSettings()
    pending_msgs_limit: int = 524_288
    """Messages a subscription may hold before it drops; 100 and more."""
    pending_bytes_limit: int = 134_217_728
    """Bytes a subscription may hold before it drops; 2 MiB and more."""
    heartbeat_interval: timedelta = timedelta(seconds=10)
    node_timeout: timedelta = timedelta(seconds=60)
    """A node that is silent for longer is offline; at least twice the heartbeat interval."""
    ack_wait: timedelta = timedelta(seconds=30)
    """The backstop of redelivery; above any server outage worth surviving."""
    replicas: int = 1
    """Copies of every stream: 1 on one server, 3 or 5 on a cluster."""
    connect_timeout: timedelta = timedelta(seconds=60)
    """How long a node's first connect waits for a server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalSettings:
    """The optional workflow engine; an empty address means none."""

    address: str = ""
    enabled: bool | None = None
    task_queue: str = "picoclaw-swarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmSettings:
    """What this node is and what it may do."""

    enabled: bool = False
    role: Role = "worker"
    capabilities: tuple[str, ...] = ("general",)
    max_concurrent: int = 5
    """Jobs that may be started at once; 1 and more."""
    name: str | None = None
    """None: `claw-<8 hex>` of the run."""
    labels: Mapping[str, str] = field(default_factory=dict)
    hid: str | None = None
    """None: the one that the first node of the NATS account recorded."""
    sid: str | None = None
    """None: the run's id."""
    profile: Profile | None = None
    """Whose figures stand in for the defaults; they are in the other settings already."""
    promotable: bool | None = None
    """Take the coordinator's role while nobody has it; None: a worker does, a specialist does not."""
    strict: bool = False
    """Refuse to start with a declared capability that is not ready."""
    drain_timeout: timedelta = timedelta(seconds=20)
    """How long a draining node lets its jobs finish before it hands them back."""
    nats: NatsSettings = NatsSettings()
    temporal: TemporalSettings = TemporalSettings()

    @property
    def may_lead(self) -> bool:
        """Whether this node, no coordinator itself, takes the role while nobody has it."""
        wanted = self.role == "worker" if self.promotable is None else self.promotable
        return wanted and self.role != "coordinator"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleLlmSettings:
    """What is different for one role."""

    model: str = ""
    """Empty: `llm.model`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmSettings:
    """Which models agents think with, how long they are waited for, and how much is asked of them."""

    model: str = ""
    """`provider/name`; empty: none, and what needs a model is not ready."""
    fallbacks: tuple[str, ...] = ()
    """Who is asked next, in turn, where a model cannot answer."""
    base_url: str | None = field(default=None, repr=False)
    """The address of the provider of `model`; may hold a password."""
    timeout: timedelta = timedelta(minutes=5)
    """Longest silence: of the whole answer, or between two pieces of a stream."""
    total_timeout: timedelta = timedelta(minutes=15)
    """Longest wait for one answer, with all retries and fallbacks."""
    retries: int = 4
    """Times that one model is asked again when it is not available; 0 to 20."""
    max_tokens: int = 8192
    """Of one answer."""
    prices: Path | None = None
    """A file of prices that go before the ones that come with picoclaw."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    at_once: int | None = None
    """These three: to each provider, from all of this user's processes on this machine together."""
    review: bool = True
    """Whether the model reads what the analyzers of a code review do; they themselves need none."""
    coordinator: RoleLlmSettings = RoleLlmSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSettings:
    """Where a kind of definition file lies."""

    path: tuple[Path, ...] = ()
    """Files, or folders of them; empty: the folder of that kind under `~/.picoclaw`, if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsSettings(FilesSettings):
    """Where agents are defined, and what this machine holds them to."""

    policy: Path | None = None
    """None: `~/.picoclaw/policy.yaml`, if it is there."""
    sandbox: Literal["auto", "bubblewrap", "none"] = "auto"
    """auto: bubblewrap where it works, else none, and said so."""
    network: bool = False
    """Whether a sandboxed command reaches the network."""
    env: tuple[str, ...] = ()
    """Variables of the node's environment that commands see beside PATH, locale and time zone."""
    programs: Literal["auto", "always", "none"] = "auto"
    """Whether coding programs of others are agents here; auto: where no `policy` forbids anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """How agents look into the web."""

    private: bool = False
    """Fetch from addresses that are not public: this machine's, this network's."""
    search: Literal["none", "searxng", "brave", "tavily"] = "none"
    search_url: str | None = None
    """None: the service's own; searxng has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillsSettings(FilesSettings):
    """Where skills lie, and whose are taken."""

    from_repository: bool = False
    """Take those in `.picoclaw/skills` of a task's repository too: its text then orders agents about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged and how."""

    level: LogLevel = "info"
    format: Literal["auto", "text", "json"] = "auto"
    """auto: text on a terminal, JSON otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a node is told."""

    swarm: SwarmSettings = SwarmSettings()
    llm: LlmSettings = LlmSettings()
    capabilities: FilesSettings = FilesSettings()
    workflows: FilesSettings = FilesSettings()
    agents: AgentsSettings = AgentsSettings()
    web: WebSettings = WebSettings()
    mcp: FilesSettings = FilesSettings()
    skills: SkillsSettings = SkillsSettings()
    log: LogSettings = LogSettings()
