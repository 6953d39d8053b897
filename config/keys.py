"""The one table of settings: each key's spelling in YAML, environment and flags, its kind and its limits.

Everything that reads, declares or explains a setting goes by this table. The dotted key is the
attribute path in `Settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal[
    "bool", "int", "duration", "capabilities", "urls", "labels",
    "path", "paths", "choice", "name", "text", "token", "credentials", "model", "models", "address",
    "variables",
]  # fmt: skip
Group = Literal["node", "connection", "llm", "files", "log"]

ENV_PREFIX = "PICOCLAW_"

_METAVARS: Mapping[Kind, str] = {
    "int": "N",
    "duration": "DURATION",
    "capabilities": "A,B",
    "urls": "URL,URL",
    "labels": "K=V,K=V",
    "path": "FILE",
    "paths": "PATH,PATH",
    "name": "NAME",
    "text": "TEXT",
    "token": "TOKEN",
    "credentials": "FILE",
    "model": "MODEL",
    "models": "MODEL,MODEL",
    "address": "URL",
    "variables": "NAME,NAME",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One setting."""

    name: str
    """Dotted, as in YAML: `swarm.nats.heartbeat_interval`."""
    kind: Kind
    group: Group
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    """Smallest value; of a duration in seconds."""
    maximum: float | None = None
    aliases: tuple[str, ...] = ()
    """Other dotted names that the command line takes."""

    @property
    def env(self) -> str:
        """Return the environment variable's name."""
        return ENV_PREFIX + self.name.upper().replace(".", "_")

    @property
    def flag(self) -> str:
        """Return the flag as the guide spells it."""
        return f"--{self.name}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Return every spelling of the flag, the guide's first, with `_` and with `-`."""
        names = (self.name, *self.aliases)
        return tuple(dict.fromkeys(f"--{n}" for name in names for n in (name, name.replace("_", "-"))))

    @property
    def metavar(self) -> str | None:
        """Return what stands for the value in help; None for a switch."""
        return "|".join(self.choices) if self.choices else _METAVARS.get(self.kind)

    @property
    def secret(self) -> bool:
        """Whether the value must never be shown."""
        return self.kind in ("token", "credentials")

    @property
    def is_list(self) -> bool:
        """Whether the value is a comma list, whose flag may be repeated."""
        return self.kind in ("capabilities", "urls", "labels", "paths", "models", "variables")

    @property
    def implies_enabled(self) -> bool:
        """Whether its flag alone makes `picoclaw` start a node."""
        return self.name.startswith("swarm.")


_TABLE = (
    Key("swarm.enabled", "bool", "node", "Start a node; any --swarm flag implies it."),
    Key(
        "swarm.role",
        "choice",
        "node",
        "What this node is (worker).",
        choices=("coordinator", "worker", "specialist"),
    ),
    Key("swarm.capabilities", "capabilities", "node", "What this node can do (general)."),
    Key("swarm.max_concurrent", "int", "node", "Jobs at once (5).", minimum=1, maximum=10_000),
    Key("swarm.name", "name", "node", "This node's name (claw-<8 hex>)."),
    Key("swarm.labels", "labels", "node", "Labels that tasks may ask for."),
    Key("swarm.hid", "name", "connection", "H-id: the swarm's human identity (the account's)."),
    Key("swarm.sid", "name", "node", "S-id: the session's name (the run's id)."),
    Key(
        "swarm.profile",
        "choice",
        "node",
        "Figures for a size of swarm, below all else (none).",
        choices=("small", "medium", "large"),
    ),
    Key(
        "swarm.promotable",
        "bool",
        "node",
        "Coordinate while no coordinator lives (workers do, specialists do not).",
    ),
    Key("swarm.strict", "bool", "node", "Refuse to start when a capability is not ready."),
    Key("swarm.drain_timeout", "duration", "node", "How long SIGTERM lets jobs finish (20s).", minimum=0),
    Key("swarm.nats.urls", "urls", "connection", "NATS servers (nats://localhost:4222)."),
    Key("swarm.nats.embedded", "bool", "connection", "Share one nats-server among your processes here."),
    Key(
        "swarm.nats.credentials",
        "credentials",
        "connection",
        "A .creds or nkey file, an nkey seed, a token or user:password.",
    ),
    Key("swarm.nats.token", "token", "connection", "A token; better given by environment."),
    Key("swarm.nats.tls.ca", "path", "connection", "Certificate authorities (the system's)."),
    Key("swarm.nats.tls.cert", "path", "connection", "Client certificate."),
    Key("swarm.nats.tls.key", "path", "connection", "Key of the client certificate."),
    Key(
        "swarm.nats.pending_msgs_limit",
        "int",
        "node",
        "Messages a subscription may hold (524288).",
        minimum=100,  # under that each burst is cut, and deliveries wait for the ack wait
        maximum=2**31 - 1,
    ),
    Key(
        "swarm.nats.pending_bytes_limit",
        "int",
        "node",
        "Bytes a subscription may hold (134217728).",
        minimum=2**21,  # twice NATS' largest message: what exceeds the limit alone would never arrive
        maximum=2**40,
    ),
    Key(
        "swarm.nats.heartbeat_interval",
        "duration",
        "node",
        "Time between heartbeats (10s).",
        minimum=0.01,
        aliases=("swarm.heartbeat_interval",),
    ),
    Key(
        "swarm.nats.node_timeout",
        "duration",
        "node",
        "Silence after which a node is offline (60s).",
        minimum=0.02,
        aliases=("swarm.node_timeout",),
    ),
    Key("swarm.nats.ack_wait", "duration", "node", "Backstop of redelivery (30s).", minimum=0.1),
    Key("swarm.nats.replicas", "int", "node", "Copies of each stream: 1, 3 or 5 (1).", minimum=1, maximum=5),
    Key("swarm.nats.connect_timeout", "duration", "node", "Wait for the first connect (60s).", minimum=0.1),
    Key("swarm.temporal.address", "text", "node", "Temporal server (none)."),
    Key("swarm.temporal.enabled", "bool", "node", "Use Temporal when it has an address."),
    Key("swarm.temporal.task_queue", "name", "node", "Temporal task queue (picoclaw-swarm)."),
    Key("llm.model", "model", "llm", "The model of agents: PROVIDER/NAME (none)."),
    Key("llm.fallbacks", "models", "llm", "Models that are asked, in turn, where it does not answer (none)."),
    Key("llm.coordinator.model", "model", "llm", "The coordinator's model (llm.model)."),
    Key("llm.base_url", "address", "llm", "Address of llm.model's provider (the provider's own)."),
    Key("llm.timeout", "duration", "llm", "Longest silence of a model (300s).", minimum=0.1),
    Key(
        "llm.total_timeout",
        "duration",
        "llm",
        "Longest wait for one answer, retries included (900s).",
        minimum=0.1,
    ),
    Key("llm.retries", "int", "llm", "Times that each model is asked again (4).", minimum=0, maximum=20),
    Key("llm.max_tokens", "int", "llm", "Tokens of one answer at most (8192).", minimum=1, maximum=1_000_000),
    Key("llm.prices", "path", "llm", "Prices of your own, in YAML (none)."),
    Key("llm.review", "bool", "llm", "Reviews are read by the model too (true)."),
    Key(
        "llm.requests_per_minute",
        "int",
        "llm",
        "Questions a minute to one provider from this machine (none).",
        minimum=1,
        maximum=1_000_000,
    ),
    Key(
        "llm.tokens_per_minute",
        "int",
        "llm",
        "Tokens a minute to one provider from this machine (none).",
        minimum=1000,
        maximum=10**12,
    ),
    Key(
        "llm.at_once",
        "int",
        "llm",
        "Questions at once to one provider from this machine (none).",
        minimum=1,
        maximum=1000,
    ),
    Key(
        "capabilities.path",
        "paths",
        "files",
        "Files or folders that define capabilities (~/.picoclaw/capabilities).",
    ),
    Key(
        "workflows.path",
        "paths",
        "files",
        "Files or folders that define workflows (~/.picoclaw/workflows).",
    ),
    Key("agents.path", "paths", "files", "Files or folders that define agents (~/.picoclaw/agents)."),
    Key(
        "agents.policy",
        "path",
        "files",
        "What every agent on this machine is held to, in YAML (~/.picoclaw/policy.yaml).",
    ),
    Key(
        "agents.sandbox",
        "choice",
        "llm",
        "What commands of agents run in (auto).",
        choices=("auto", "bubblewrap", "none"),
    ),
    Key("agents.network", "bool", "llm", "Let commands of agents reach the network (false)."),
    Key("agents.env", "variables", "llm", "Variables that commands of agents see (none)."),
    Key(
        "agents.programs",
        "choice",
        "llm",
        "Let claude, codex, gemini and aider be agents here (auto).",
        choices=("auto", "always", "none"),
    ),
    Key("web.private", "bool", "llm", "Let agents fetch from private addresses (false)."),
    Key(
        "web.search",
        "choice",
        "llm",
        "Who answers web searches of agents (none).",
        choices=("none", "searxng", "brave", "tavily"),
    ),
    Key("web.search_url", "address", "llm", "Address of that search service (its own)."),
    Key("mcp.path", "paths", "files", "Files or folders that name MCP servers (~/.picoclaw/mcp.yaml)."),
    Key("skills.path", "paths", "files", "Folders of skills (~/.picoclaw/skills)."),
    Key(
        "skills.from_repository",
        "bool",
        "files",
        "Take skills from a task's repository too (false).",
    ),
    Key(
        "log.level",
        "choice",
        "log",
        "What is logged (info).",
        choices=("debug", "info", "warning", "error"),
    ),
    Key("log.format", "choice", "log", "How it is logged (auto).", choices=("auto", "text", "json")),
)

KEYS: Mapping[str, Key] = MappingProxyType({key.name: key for key in _TABLE})
"""Every key by its dotted name, in the order in which help shows them."""

BY_ENV: Mapping[str, Key] = MappingProxyType({key.env: key for key in _TABLE})
BY_FLAG: Mapping[str, Key] = MappingProxyType({flag: key for key in _TABLE for flag in key.flags})
SECTIONS = frozenset(name.rsplit(".", n)[0] for name in KEYS for n in range(1, name.count(".") + 1))
"""Every dotted prefix of a key: `swarm`, `swarm.nats`, `swarm.nats.tls` and so on."""
