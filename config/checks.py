"""What settings must fulfil together: files are there, nothing contradicts, the rhythm holds."""

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError
from .credentials import check_file, resolve_credentials, resolve_path
from .durations import format_duration
from .keys import KEYS
from .origin import DEFAULT, Origin
from .refuse import Refuse, raise_it
from .settings import Settings
from .urls import is_default_address

TEMPORAL_UNAVAILABLE = "Temporal connection failed (workflows disabled)"
"""The guide's phrase, verbatim: work goes on over JetStream."""

_EMBEDDED = "swarm.nats.embedded"
_TOKEN = "swarm.nats.token"  # noqa: S105 - the name of a key
_CREDENTIALS = "swarm.nats.credentials"
_PRICES = "llm.prices"
_PATHS = ("capabilities.path", "workflows.path", "agents.path", "mcp.path", "skills.path")
_POLICY = "agents.policy"
_TLS = ("swarm.nats.tls.ca", "swarm.nats.tls.cert", "swarm.nats.tls.key")


def settle_conflicts(
    values: dict[str, object], origins: dict[str, Origin], refuse: Refuse = raise_it
) -> list[str]:
    """Take out what a stronger source's choice replaces; return a warning for each.

    An embedded server excludes other addresses, credentials of one's own, TLS and replicas;
    credentials exclude a token. `refuse` gets a ConfigError where both come from equally strong
    sources.
    """
    warnings: list[str] = []
    for other in ("swarm.nats.urls", _CREDENTIALS, _TOKEN, *_TLS, "swarm.nats.replicas"):
        if values.get(_EMBEDDED) and _excluded_by_embedded(other, values):
            warnings += _settle(_EMBEDDED, other, values, origins, refuse)
    if _CREDENTIALS in values and _TOKEN in values:
        warnings += _settle(_CREDENTIALS, _TOKEN, values, origins, refuse)
    return warnings


def _excluded_by_embedded(other: str, values: Mapping[str, object]) -> bool:
    match values.get(other):
        case None:
            return False
        case int() as replicas:
            return replicas > 1
        case tuple() as urls:
            return not all(is_default_address(url) for url in urls)
        case _:
            return True


def _settle(
    one: str, other: str, values: dict[str, object], origins: dict[str, Origin], refuse: Refuse
) -> list[str]:
    """Keep the one whose source is stronger, and return the warning; refuse when neither is."""
    if origins[one].rank == origins[other].rank:
        refuse(
            ConfigError(
                f"{one} ({origins[one]}) and {other} ({origins[other]}) contradict each other: give only one"
            )
        )
        return []
    loser, winner = sorted((one, other), key=lambda name: origins[name].rank)
    warning = f"{loser} ({origins[loser]}) is ignored, because {winner} ({origins[winner]}) excludes it"
    del values[loser]
    origins[loser] = DEFAULT
    return [warning]


def check_files(
    values: dict[str, object],
    origins: Mapping[str, Origin],
    *,
    file_base: Path,
    here: Path,
    home: Path,
    refuse: Refuse = raise_it,
) -> None:
    """Make every path absolute and see that its file can be read.

    A relative path counts from the YAML file that gives it, else from the current folder. `refuse`
    gets a ConfigError for each that is not there.
    """
    for name in (_CREDENTIALS, *_TLS, _PRICES, _POLICY):
        text = values.get(name)
        if not isinstance(text, str):
            continue
        base = file_base if origins[name].source == "file" else here
        try:
            if KEYS[name].kind == "credentials":
                values[name] = resolve_credentials(text, base, home)
            else:
                path = resolve_path(text, base, home)
                check_file(path, f"the file {path}", "check the path")
                values[name] = path
        except ConfigError as error:
            refuse(ConfigError(f"{name} ({origins[name]}): {error}"))
            del values[name]
    for name in _PATHS:
        texts = values.get(name)
        if isinstance(texts, tuple):
            base = file_base if origins[name].source == "file" else here
            try:
                values[name] = tuple(_there(name, text, base, home, origins[name]) for text in texts)
            except ConfigError as error:
                refuse(error)
                del values[name]
    cert, key = _TLS[1:]
    for given, missing in ((cert, key), (key, cert)):
        if given in values and missing not in values:
            refuse(ConfigError(f"{given} ({origins[given]}) needs {missing} beside it: give both or neither"))


def _there(name: str, text: str, base: Path, home: Path, origin: Origin) -> Path:
    try:
        path = resolve_path(text, base, home)
        there = path.exists()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{name} ({origin}) cannot be read ({why}): correct the path") from None
    if not there:
        raise ConfigError(f"{name} ({origin}): {path} is not there: make it, or correct the path")
    return path


def check_relations(settings: Settings, origins: Mapping[str, Origin], refuse: Refuse = raise_it) -> None:
    """Give `refuse` a ConfigError for settings that are fine alone and do not fit together."""
    nats = settings.swarm.nats
    if nats.node_timeout < 2 * nats.heartbeat_interval:
        timeout, interval = "swarm.nats.node_timeout", "swarm.nats.heartbeat_interval"
        refuse(
            ConfigError(
                f"{timeout} ({origins[timeout]}) is {format_duration(nats.node_timeout)}, under twice the "
                f"{format_duration(nats.heartbeat_interval)} of {interval} ({origins[interval]}): "
                f"raise it to {format_duration(2 * nats.heartbeat_interval)} or more, or lower the interval"
            )
        )
    if nats.replicas not in (1, 3, 5):
        name = "swarm.nats.replicas"
        refuse(ConfigError(f"{name} ({origins[name]}): {nats.replicas} copies cannot vote: give 1, 3 or 5"))
    if len({url.startswith(("ws://", "wss://")) for url in nats.urls}) > 1:
        name = "swarm.nats.urls"
        refuse(
            ConfigError(f"{name} ({origins[name]}): websocket and plain addresses do not mix: give one sort")
        )


def temporal_warnings(settings: Settings, origins: Mapping[str, Origin]) -> list[str]:
    """Return what to say of the Temporal settings, once, at start."""
    temporal = settings.swarm.temporal
    if temporal.address and temporal.enabled is not False:
        return [TEMPORAL_UNAVAILABLE]
    if temporal.enabled and not temporal.address:
        name = "swarm.temporal.enabled"
        lacking = f"{name} ({origins[name]}) has no effect without swarm.temporal.address"
        return [f"{lacking}: set it, such as localhost:7233"]
    return []
