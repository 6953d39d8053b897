"""An MCP server as its user names it: how it is reached, what it is given, and within which limits. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
"""`${NAME}`, or `${NAME:-what stands for it where it is not set}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stdio:
    """A program of this machine, spoken to by its standard input and output."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """All that it sees of the node's environment beyond the path, locale and certificates."""
    cwd: str | None = None
    """None: an empty folder of its own, removed with it."""

    @property
    def texts(self) -> tuple[str, ...]:
        return (*self.argv, *self.env.values(), self.cwd or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A server somewhere, by streamable HTTP."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.url, *self.headers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one server may take."""

    connect: timedelta = timedelta(seconds=30)
    """Until it is there and has told its tools."""
    call: timedelta = timedelta(minutes=2)
    """Until a tool has answered."""
    idle: timedelta = timedelta(minutes=10)
    """Without a call; it is ended then, and started again by the next one."""
    result: int = 4 * 2**20
    """Bytes of one answer."""
    tools: int = 64
    """Tools that are taken of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One MCP server."""

    name: str
    place: str
    """`FILE:LINE`, for people."""
    way: Stdio | Http
    trust: bool = False
    """Believe what it says of its tools: that one only reads, or that twice is as good as once."""
    tools: tuple[str, ...] = ("*",)
    """Shell patterns of the tools that are taken, by the server's own names."""
    limits: ServerLimits = field(default_factory=ServerLimits)

    @property
    def kind(self) -> str:
        """Return how it is reached, in a word."""
        return "stdio" if isinstance(self.way, Stdio) else "http"

    def lacking(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Return the variables that it names and that are not set."""
        names = [found[1] for text in self.way.texts for found in VARIABLE.finditer(text) if found[2] is None]
        return tuple(dict.fromkeys(name for name in names if not environ.get(name)))


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Return a text with its variables' values; one that is not set stands for nothing."""
    return VARIABLE.sub(lambda found: environ.get(found[1]) or found[2] or "", text)


def secrets_of(server: Server, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return, by the names that may say so, what the server is given and should not come back from it."""
    names = {found[1] for text in server.way.texts for found in VARIABLE.finditer(text)}
    given = {name: environ[name] for name in names if environ.get(name)}
    own = server.way.env if isinstance(server.way, Stdio) else server.way.headers
    # A variable with a harmless name may be given as one with a telling name, and the other way round.
    return {**given, **{f"own {name}": expand(text, environ) for name, text in own.items()}}
