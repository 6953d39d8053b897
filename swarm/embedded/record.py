"""What the run directory says about the shared server."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecord:
    """The shared server that runs, or ran, and how to get in."""

    pid: int
    port: int
    url: str
    """Without credentials."""
    user: str
    password: str = field(repr=False)
    store: str
    name: str
    """The server's own name, which its greeting repeats: proof that it is this one that answers."""
    version: str
    """nats-server's version."""
    started: str
    """UTC, ISO 8601."""

    @property
    def credentials(self) -> str:
        """`user:password`, as `swarm.nats.credentials` takes it."""
        return f"{self.user}:{self.password}"

    @property
    def secret_url(self) -> str:
        """The address with user and password in it."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{self.credentials}@{rest}"


def read_record(path: Path) -> ServerRecord | None:
    """Return the record, or None when there is none, or what stands there is not one."""
    try:
        loaded = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if not isinstance(loaded, dict):
        return None
    wanted = {f.name: int if f.name in ("pid", "port") else str for f in fields(ServerRecord)}
    if any(type(loaded.get(name)) is not kind for name, kind in wanted.items()):
        return None
    return ServerRecord(**{name: loaded[name] for name in wanted})


def dump_record(record: ServerRecord) -> str:
    """Return the record as text, password and all."""
    return json.dumps(asdict(record), indent=1) + "\n"


def write_record(path: Path, record: ServerRecord) -> None:
    """Write it so that a reader sees the old or the new one, and other users nothing."""
    write_private(path, dump_record(record))


def write_private(path: Path, text: str) -> None:
    """Replace the file at once, mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
