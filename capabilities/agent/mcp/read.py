"""From files to MCP servers: our YAML, and the JSON with `mcpServers` that other programs keep."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ....config.document import Way
from ....config.durations import parse_duration
from ....config.spelling import did_you_mean
from ....config.yaml_file import YamlFile, read_yaml_file
from ....errors import ConfigError
from ...definitions.sizes import parse_size
from .server import Http, Server, ServerLimits, Stdio

SUFFIXES = (".yaml", ".yml", ".json")
MOST_FILES = 100
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOP = ("servers", "mcpServers")


def usual_file(home: Path) -> Path:
    """Return where a user's MCP servers stand unless the settings name another place; it may be missing."""
    return home / "mcp.yaml"


def read_servers(paths: Sequence[Path]) -> tuple[Server, ...]:
    """Return the servers of all files, in the order of the files.

    Raises ConfigError for the first mistake, with file and line, and for a name that two of them have.
    """
    found: dict[str, Server] = {}
    for file in _files(paths):
        for server in _read_file(file):
            other = found.get(server.name)
            if other is not None:
                raise ConfigError(
                    f"{server.place}: MCP server {server.name!r} is named already in {other.place}: "
                    "rename or remove one"
                )
            found[server.name] = server
    return tuple(found.values())


def _files(paths: Sequence[Path]) -> tuple[Path, ...]:
    found: dict[Path, None] = {}
    for path in paths:
        try:
            if path.is_dir():
                entries = sorted(entry for entry in path.iterdir() if entry.suffix in SUFFIXES)
                found |= dict.fromkeys(entry for entry in entries if not entry.name.startswith("."))
            elif path.exists():
                found[path] = None
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be listed ({error.strerror}): give this user the right to"
            ) from None
    if len(found) > MOST_FILES:
        raise ConfigError(f"over {MOST_FILES} files name MCP servers: is it the right folder?")
    return tuple(found)


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    try:
        found = parse_duration(str(value))
    except ConfigError as error:
        raise ValueError(str(error)) from None
    if not timedelta(0) < found <= timedelta(hours=24):
        raise ValueError(f"{value} is out of range: give more than 0s and at most 24h")
    return found


def _size(value: object) -> object:
    try:
        size = parse_size(str(value))
    except ConfigError as error:
        raise ValueError(str(error)) from None
    if not 1024 <= size <= 64 * 2**20:
        raise ValueError(f"{value} is out of range: give 1KB to 64MB")
    return size


def _words(value: object) -> object:
    return [value] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class _Body(BaseModel):
    """The keys of one server. Every scalar comes as the text in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["stdio", "http", "streamable-http", "streamableHttp"] | None = None
    command: Words = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    trust: bool = False
    disabled: bool = False
    tools: Words = ("*",)
    connect_timeout: Duration = ServerLimits().connect
    call_timeout: Duration = ServerLimits().call
    idle_timeout: Duration = ServerLimits().idle
    result_limit: Size = ServerLimits().result
    max_tools: int = Field(ServerLimits().tools, ge=1, le=512)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == (self.url is not None):
            raise ValueError("give either command, for a program here, or url, for a server elsewhere")
        of_stdio, of_http = self.args or self.env or self.cwd, self.headers
        if self.url is not None and (of_stdio or self.type == "stdio"):
            raise ValueError("args, env, cwd and type stdio are of a program: they do not go with url")
        if self.command and (of_http or self.type not in (None, "stdio")):
            raise ValueError("headers and type http are of a server elsewhere: they do not go with command")
        if self.url is not None and not self.url.startswith(("http://", "https://", "${")):
            raise ValueError("the url is none of HTTP: write https://HOST/PATH")
        for name in self.env:
            if not _VARIABLE_NAME.fullmatch(name):
                raise ValueError(f"{name[:60]!r} is not a variable's name: use letters, digits and _")
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or "\n" in value or "\r" in value:
                raise ValueError(f"{name[:60]!r} is not a header of HTTP: write NAME: VALUE in one line")
        if any("\0" in text for text in (*self.command, *self.args, *self.env.values())):
            raise ValueError("a NUL character stands in it: remove it")
        return self


def _read_file(file: Path) -> list[Server]:
    # JSON is YAML, but for what nobody writes by hand. Its values may be secrets.
    parsed = read_yaml_file(file, discreet=True)
    data = parsed.document.data
    if data is None:
        return []
    if not isinstance(data, dict):
        raise ConfigError(f"{parsed.place()}: not a mapping: write `servers:` with a name below it")
    keys = [key for key in _TOP if key in data]
    if len(keys) != 1:
        strange = next((key for key in data if key not in _TOP), None)
        hint = did_you_mean(strange, _TOP) if strange is not None else ""
        raise ConfigError(
            f"{parsed.place((strange,) if strange else ())}: a file of MCP servers holds `servers:`, "
            f"or the `mcpServers` of other programs{hint}"
        )
    (key,) = keys
    foreign = key == "mcpServers"
    for other in data:
        # Other programs keep much else in the same file.
        if other != key and not foreign:
            raise ConfigError(f"{parsed.place((other,))}: unknown key {other[:80]!r}")
    several = data[key]
    if several is None:
        return []
    if not isinstance(several, dict):
        raise ConfigError(f"{parsed.place((key,))}: {key} is not a mapping: write NAME: and its keys below")
    servers = (_one(parsed, (key, name), name, body, foreign) for name, body in several.items())
    return [server for server in servers if server is not None]


def _one(parsed: YamlFile, way: Way, name: str, body: Any, foreign: bool) -> Server | None:
    place = parsed.place(way)
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{place}: {name[:80]!r} cannot name an MCP server: use 1 to 64 letters, digits, '-' and '_'"
        )
    if not isinstance(body, dict):
        raise ConfigError(f"{place}: {name} is not a mapping: write its keys below it, such as command:")
    known = set(_Body.model_fields)
    if foreign:
        body = {key: value for key, value in body.items() if key in known}
    if body.get("type") == "sse":
        raise ConfigError(
            f"{parsed.place((*way, 'type'))}: {name}: the old SSE transport is not spoken: give the "
            "server's address for streamable HTTP with type http"
        )
    try:
        read = _Body.model_validate(body)
    except ValidationError as error:
        raise ConfigError(_in_words(error, parsed, way, name, known)) from None
    return None if read.disabled else _server(read, parsed.path, name, place)


def _server(read: _Body, file: Path, name: str, place: str) -> Server:
    way: Stdio | Http
    if read.url is not None:
        way = Http(url=read.url, headers=read.headers)
    else:
        cwd = None if read.cwd is None else str(file.absolute().parent / Path(read.cwd).expanduser())
        way = Stdio(argv=(*read.command, *read.args), env=read.env, cwd=cwd)
    limits = ServerLimits(
        connect=read.connect_timeout,
        call=read.call_timeout,
        idle=read.idle_timeout,
        result=read.result_limit,
        tools=read.max_tools,
    )
    return Server(name=name, place=place, way=way, trust=read.trust, tools=read.tools, limits=limits)


def _in_words(error: ValidationError, parsed: YamlFile, way: Way, name: str, known: set[str]) -> str:
    found = error.errors(include_input=False, include_url=False)
    # A key misspelt is also a key missing: the misspelling is the one to name.
    first = next((entry for entry in found if entry["type"] == "extra_forbidden"), found[0])
    loc: Way = first["loc"]
    place = f"{parsed.place((*way, *loc))}: {name}"
    if first["type"] == "extra_forbidden":
        key = str(loc[-1])[:80]
        hint = did_you_mean(key, known) or f": known are {', '.join(sorted(known))}"
        return f"{place}: unknown key {key!r}{hint}"
    message = first["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, loc))
    return f"{place}: {where}: {message}" if where else f"{place}: {message}"
