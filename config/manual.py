"""The manual of the settings: what each means at length, an example, and what a kind of value looks like.

Only what explains settings loads this; the table in `keys` says in a line what help shows.
"""

from collections.abc import Mapping
from types import MappingProxyType

from .durations import format_duration
from .keys import Key, Kind
from .load import value_of
from .settings import Settings
from .values import Raw, to_raw

KIND_WORDS: Mapping[Kind, str] = MappingProxyType(
    {
        "bool": "yes or no: `true`/`false`, `yes`/`no`, `on`/`off`, `1`/`0`",
        "int": "a whole number",
        "duration": "a duration with its unit: `10s`, `1m30s`, `500ms`, `2h`, `3d`",
        "capabilities": "capabilities: a comma list or a YAML list",
        "urls": "addresses `nats://`, `tls://`, `ws://` or `wss://`: a comma list or a YAML list",
        "labels": "labels: `key=value,key=value` or a YAML mapping",
        "path": "a file; a relative one counts from the YAML file, else from the current folder",
        "paths": "files or folders: a comma list or a YAML list; relative ones as for a file",
        "choice": "one of the words",
        "name": "a name: 1 to 128 characters of any alphabet, no control characters",
        "text": "text",
        "token": "a secret",
        "credentials": "a secret, or the file that holds it",
        "model": "a model: `PROVIDER/NAME`, such as `anthropic/claude-opus-5`, `openai/gpt-5.5`, "
        "`openrouter/MAKER/NAME` or `ollama/qwen3`; a bare `claude-…` is Anthropic's",
        "models": "models: a comma list or a YAML list",
        "address": "an address `http://` or `https://`",
        "variables": "names of environment variables: a comma list or a YAML list",
    }
)

MEANING: Mapping[str, str] = MappingProxyType(
    {
        "swarm.enabled": "Whether `picoclaw` without a verb starts a node. Any `--swarm` flag implies it; in "
        "the environment or a file it is needed.",
        "swarm.role": "A coordinator takes requests, plans them and joins the results. A worker runs tasks. A "
        "specialist is a worker that is asked first for what it names.",
        "swarm.capabilities": "What this node says it can do. `general` stands for all that it finds ready on "
        "its machine. A capability that is named and not ready is shown as such and gets no tasks.",
        "swarm.max_concurrent": "How many jobs run at once on this node. Fewer need less memory.",
        "swarm.name": "What the node is called. Two live nodes of one swarm cannot have one name.",
        "swarm.labels": "Facts about the node that a task may ask for, such as where it stands.",
        "swarm.hid": "The human identity: nodes of one H-id are one swarm, and see nothing of another. The "
        "first node of a NATS account records one; the others take it from there.",
        "swarm.sid": "The session identity: a name for this run, shown beside the node.",
        "swarm.profile": "Figures for a size of swarm: `small` for 2 to 5 nodes, `medium` for 5 to 20, "
        "`large` for more. A setting of its own wins over a profile's figure.",
        "swarm.promotable": "Whether this node takes the coordinator's role while no coordinator is alive, "
        "and gives it back when one returns. It plans by the workflow files that it has itself.",
        "swarm.strict": "Refuse to start when a capability that is named is not ready, and say why.",
        "swarm.drain_timeout": "After SIGTERM or Ctrl-C the node takes no more tasks and lets its jobs run "
        "for this long; what is not done by then goes back to the queue.",
        "swarm.nats.urls": "Where NATS is. Several are servers of one cluster, tried in turn. A password may "
        "stand in an address and is never shown.",
        "swarm.nats.embedded": "Share one nats-server among all of your processes on this machine; the first "
        "starts it, it listens on this machine only, and it ends with the last.",
        "swarm.nats.credentials": "How to prove who this node is: a `.creds` file, a file with an nkey "
        "seed, such a seed, `user:password`, or a token.",
        "swarm.nats.token": "A token that the server was started with. An argument is seen by every user of "
        "the machine, a variable is not.",
        "swarm.nats.tls.ca": "Certificates of the authorities that may sign the server's (PEM).",
        "swarm.nats.tls.cert": "This node's certificate (PEM), for a server that demands one.",
        "swarm.nats.tls.key": "The key of that certificate (PEM).",
        "swarm.nats.pending_msgs_limit": "How many messages a subscription may hold before it drops some. "
        "Lower it where memory is short.",
        "swarm.nats.pending_bytes_limit": "How many bytes a subscription may hold before it drops some. Lower "
        "it where memory is short.",
        "swarm.nats.heartbeat_interval": "How often a node says that it is there.",
        "swarm.nats.node_timeout": "A node that was silent for this long is offline, and its tasks run "
        "elsewhere. At least twice the heartbeat interval.",
        "swarm.nats.ack_wait": "After this time without a word from its holder the server hands a task out "
        "again. A backstop; above any outage of the server that is worth surviving.",
        "swarm.nats.replicas": "How many servers of a cluster hold each stream.",
        "swarm.nats.connect_timeout": "How long a node waits at its start for a server to answer.",
        "swarm.temporal.address": "Where Temporal is. Empty: none, and the task log does its work.",
        "swarm.temporal.enabled": "Whether Temporal is used where it has an address. Unset: yes.",
        "swarm.temporal.task_queue": "The Temporal task queue of this swarm.",
        "llm.model": "The model that agents think with. Its key comes from its provider's own variable, such as "
        "`ANTHROPIC_API_KEY` or `OPENAI_API_KEY`; no setting holds one. Without a model, what needs one is not "
        "ready; all else works. A profile or a task may name another.",
        "llm.fallbacks": "Models that are asked, in turn, where the one before does not answer, has no valid "
        "key, or cannot read so long a conversation.",
        "llm.coordinator.model": "The model that plans and joins. Unset: that of `llm.model`.",
        "llm.base_url": "Where the provider of `llm.model` is: a gateway, a server of your own, or "
        "`picoclaw fake-llm serve`. OpenAI's way of speaking wants the `/v1` at its end, Anthropic's does not. "
        "Other providers take their own variables, such as `OPENAI_BASE_URL` or `OLLAMA_HOST`.",
        "llm.timeout": "How long a model may be silent: until its whole answer comes, or between two pieces of "
        "one that it streams.",
        "llm.total_timeout": "How long one answer may take, with every retry, wait and fallback.",
        "llm.retries": "How often one model is asked again when it is overloaded, limits us, fails or is cut "
        "off. Nothing else retries. The waits grow, with chance in them; what the provider asks for is obeyed.",
        "llm.max_tokens": "How long one answer of a model may be.",
        "llm.prices": "A YAML file of prices and context windows that go before the ones that come with "
        "picoclaw. A price that is in neither is unknown, and never taken for zero.",
        "llm.review": "Whether the model reads the code of a review as well, on top of the analyzers. `false`: "
        "reviews cost nothing and are as without a model.",
        "llm.requests_per_minute": "How many questions a minute go to one provider from all of your processes "
        "on this machine together.",
        "llm.tokens_per_minute": "How many tokens a minute, read and written, go to one provider from all of "
        "your processes on this machine together.",
        "llm.at_once": "How many questions to one provider are under way at once from all of your processes on "
        "this machine together.",
        "capabilities.path": "Files, or folders of files, that define commands and functions as capabilities. "
        "The folder in the home may be missing; a path that is given must be there.",
        "workflows.path": "Files, or folders of files, that define workflow templates. The folder in the home "
        "may be missing; a path that is given must be there.",
        "agents.path": "Files, or folders of files, that define agents. The folder in the home may be missing; "
        "a path that is given must be there.",
        "agents.policy": "Rules that every agent on this machine is held to beside its own: whatever a profile "
        "allows, the strictest rule decides. The file in the home may be missing; one that is given must be "
        "there.",
        "agents.sandbox": "What the commands of agents run in. `bubblewrap` shows them the system read-only, the "
        "task's folder, and no other file or process of this machine; without the program, or where the machine "
        "forbids it, agents then run no commands. `auto` takes it where it works, else runs them without, "
        "which `picoclaw doctor` and each such result say.",
        "agents.network": "Whether the commands of agents reach the network from their sandbox: also this "
        "machine's own services. Without a sandbox they always do.",
        "agents.env": "Variables of the node's environment that the commands of agents see, beside PATH, locale "
        "and time zone. Keys of model providers are refused.",
        "agents.programs": "Whether `claude`, `codex`, `gemini` and `aider` are agents where they are installed and "
        "have a key. They keep to their own fences, not to picoclaw's: with `auto` they are none where "
        "`agents.policy` forbids anything or asks; `always` lets them all the same, `none` never.",
        "web.private": "Whether agents fetch pages from addresses that are not public, such as this machine's "
        "or its network's: also by name or by redirection.",
        "web.search": "The service that answers an agent's web searches: `searxng` at `web.search_url`, `brave` "
        "with its key in `BRAVE_API_KEY`, or `tavily` with its in `TAVILY_API_KEY`. With `none` agents have no "
        "such tool.",
        "web.search_url": "The address of the search service, such as that of your own SearXNG.",
        "mcp.path": "Files, or folders of files, that name MCP servers whose tools agents may use: YAML, or the "
        "JSON with `mcpServers` that other programs keep. The file in the home may be missing; a path that is "
        "given must be there.",
        "skills.path": "Folders of skills, each skill a folder with a `SKILL.md`. The folder in the home may be "
        "missing; a path that is given must be there.",
        "skills.from_repository": "Whether agents also take the skills in `.picoclaw/skills` of a task's "
        "repository. Whoever writes that repository then instructs your agents; the rules of their profiles "
        "still hold.",
        "log.level": "From which level on something is logged.",
        "log.format": "`auto` is text at a terminal and JSON elsewhere, one object a line.",
    }
)
"""Whole sentences on each key, beside the line that help shows."""

EXAMPLES: Mapping[str, Raw] = MappingProxyType(
    {
        "swarm.enabled": "true",
        "swarm.role": "coordinator",
        "swarm.capabilities": ("code", "research"),
        "swarm.max_concurrent": "3",
        "swarm.name": "builder-1",
        "swarm.labels": {"region": "us"},
        "swarm.hid": "team-a",
        "swarm.sid": "nightly",
        "swarm.profile": "medium",
        "swarm.promotable": "false",
        "swarm.strict": "true",
        "swarm.drain_timeout": "1m",
        "swarm.nats.urls": ("nats://nats-1:4222", "nats://nats-2:4222"),
        "swarm.nats.embedded": "true",
        "swarm.nats.credentials": "/etc/picoclaw/node.creds",
        "swarm.nats.token": "${NATS_TOKEN}",
        "swarm.nats.tls.ca": "/etc/picoclaw/ca.pem",
        "swarm.nats.tls.cert": "/etc/picoclaw/node.pem",
        "swarm.nats.tls.key": "/etc/picoclaw/node.key",
        "swarm.nats.pending_msgs_limit": "65536",
        "swarm.nats.pending_bytes_limit": "16777216",
        "swarm.nats.heartbeat_interval": "5s",
        "swarm.nats.node_timeout": "20s",
        "swarm.nats.ack_wait": "1m",
        "swarm.nats.replicas": "3",
        "swarm.nats.connect_timeout": "2m",
        "swarm.temporal.address": "localhost:7233",
        "swarm.temporal.enabled": "false",
        "swarm.temporal.task_queue": "reviews",
        "llm.model": "anthropic/claude-opus-5",
        "llm.fallbacks": ("openai/gpt-5.5", "ollama/qwen3"),
        "llm.coordinator.model": "anthropic/claude-sonnet-5",
        "llm.base_url": "http://localhost:8080",
        "llm.timeout": "2m",
        "llm.total_timeout": "30m",
        "llm.retries": "2",
        "llm.max_tokens": "16384",
        "llm.prices": "/etc/picoclaw/prices.yaml",
        "llm.review": "false",
        "llm.requests_per_minute": "50",
        "llm.tokens_per_minute": "100000",
        "llm.at_once": "4",
        "capabilities.path": ("/etc/picoclaw/capabilities",),
        "workflows.path": ("/etc/picoclaw/workflows",),
        "agents.path": ("/etc/picoclaw/agents",),
        "agents.policy": "/etc/picoclaw/policy.yaml",
        "agents.sandbox": "bubblewrap",
        "agents.network": "true",
        "agents.env": ("HTTPS_PROXY", "JAVA_HOME"),
        "agents.programs": "none",
        "web.private": "true",
        "web.search": "searxng",
        "web.search_url": "https://search.example.org",
        "mcp.path": ("/etc/picoclaw/mcp.yaml",),
        "skills.path": ("/etc/picoclaw/skills",),
        "skills.from_repository": "true",
        "log.level": "debug",
        "log.format": "json",
    }
)
"""A value of each key that is not its default, as a source would hold it."""

_UNSET: Mapping[str, str] = MappingProxyType(
    {
        "swarm.name": "`claw-` and 8 hex digits of the run",
        "swarm.labels": "none",
        "swarm.hid": "what the first node of the NATS account recorded",
        "swarm.sid": "the run's id",
        "swarm.promotable": "true of a worker, false of a specialist",
        "swarm.nats.tls.ca": "the system's",
        "swarm.temporal.address": "none",
        "swarm.temporal.enabled": "unset: yes where there is an address",
        "llm.coordinator.model": "that of `llm.model`",
        "llm.base_url": "the provider's own",
        "llm.requests_per_minute": "no limit",
        "llm.tokens_per_minute": "no limit",
        "llm.at_once": "no limit",
        "capabilities.path": "`~/.picoclaw/capabilities`, if it is there",
        "workflows.path": "`~/.picoclaw/workflows`, if it is there",
        "agents.path": "`~/.picoclaw/agents`, if it is there",
        "agents.policy": "`~/.picoclaw/policy.yaml`, if it is there",
        "web.search_url": "unset: the service's own",
        "mcp.path": "`~/.picoclaw/mcp.yaml`, if it is there",
        "skills.path": "`~/.picoclaw/skills`, if it is there",
    }
)
"""What holds where the default is no value that one could write."""


def default_of(key: Key) -> Raw | None:
    """Return the default as a source would write it; None where there is none to write."""
    value = value_of(Settings(), key.name)
    return to_raw(value) if value not in (None, "", (), {}) else None


def default_words(key: Key) -> str:
    """Return the default in words for Markdown."""
    raw = default_of(key)
    return _UNSET.get(key.name, "none") if raw is None else f"`{joined(raw)}`"


def limits_words(key: Key) -> str:
    """Return what the value may be, in words for Markdown; empty where its kind says it all."""
    if key.choices:
        return ", ".join(f"`{choice}`" for choice in key.choices)
    if key.name == "swarm.nats.replicas":
        return "1, 3 or 5"
    if key.minimum is None and key.maximum is None:
        return ""
    if key.kind == "duration":
        from datetime import timedelta

        return f"`{format_duration(timedelta(seconds=key.minimum or 0))}` to 365 days"
    low = int(key.minimum or 0)
    return f"{low:,} to {int(key.maximum):,}" if key.maximum is not None else f"{low:,} and more"


def joined(raw: Raw) -> str:
    """Return a value as it stands in a flag or variable."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, Mapping):
        return ",".join(f"{name}={item}" for name, item in raw.items())
    return ",".join(raw)


def in_yaml(raw: Raw) -> str:
    """Return a value as it stands in YAML, on one line."""
    if isinstance(raw, str):
        return _scalar(raw)
    if isinstance(raw, Mapping):
        return "{" + ", ".join(f"{_scalar(name)}: {_scalar(item)}" for name, item in raw.items()) + "}"
    return "[" + ", ".join(map(_scalar, raw)) + "]"


def _scalar(text: str) -> str:
    import json
    import re

    return text if re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*", text) else json.dumps(text)
