"""Every verb finds its swarm: flag > environment > YAML > the run directory's record > the default."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ..config.settings import NatsSettings, Settings, TlsSettings
from ..config.urls import DEFAULT_PORT, redact_url
from .embedded.process import is_server
from .embedded.record import ServerRecord, read_record
from .embedded.rundir import picoclaw_home, record_path, run_dir

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_URLS = "swarm.nats.urls"


class Given(Protocol):
    """The part of config's `Origin` that is needed here."""

    @property
    def source(self) -> str: ...


class Told(Protocol):
    """The part of config's `Loaded` that is needed here."""

    @property
    def settings(self) -> Settings: ...

    @property
    def origins(self) -> Mapping[str, Given]: ...


@dataclass(frozen=True, slots=True)
class Located:
    """Where the swarm is, and how that is known."""

    nats: NatsSettings
    source: str
    """Where the address came from, for the message when nobody answers there."""


def locate(told: Told, *, home: Path | None = None) -> Located:
    """Return how to reach the swarm; nothing is started, nothing is asked.

    `home` is `~/.picoclaw` unless given. With `--swarm.nats.embedded` the record comes first, as it
    does when no address was given. A record whose server is gone counts as none.
    """
    nats = told.settings.swarm.nats
    path = record_path(run_dir(home or picoclaw_home()))
    record = live_record(path)
    origin = told.origins[_URLS]
    if origin.source != "default" and not nats.embedded:
        return Located(with_record(nats, record), f"from {origin}")
    if record is not None:
        # Credentials that were given for some other server would only be refused there.
        pointed = replace(
            nats, urls=(record.url,), credentials=record.credentials, token=None, tls=TlsSettings()
        )
        return Located(pointed, f"the shared server of {path}")
    return Located(nats, f"the default address; no shared server is running by {path}")


def live_record(path: Path) -> ServerRecord | None:
    """Return the run directory's record if the server that it names is alive."""
    record = read_record(path)
    if record is None or not is_server(record.pid, Path(record.store) / "server.conf"):
        return None
    return record


def with_record(nats: NatsSettings, record: ServerRecord | None) -> NatsSettings:
    """Return the settings with the record's credentials, if they have none and each address is its own."""
    if record is None or nats.credentials is not None or nats.token is not None:
        return nats
    if not all(same_server(url, record) for url in nats.urls):
        return nats
    return replace(nats, urls=(record.url,), credentials=record.credentials)


def same_server(url: str, record: ServerRecord) -> bool:
    """Whether the address is the record's, by whatever name of this machine, and carries no credentials."""
    parts = urlsplit(url)
    if parts.username is not None or parts.scheme != "nats":
        return False
    return parts.hostname in _HERE and (parts.port or DEFAULT_PORT) == record.port


def shown(nats: NatsSettings) -> str:
    """Return the addresses for people, without credentials."""
    return ", ".join(map(redact_url, nats.urls))
