"""Settings from their sources: flags over environment over YAML over a profile over defaults.

Each knows its origin.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import ConfigError, NameRefused
from .checks import check_files, check_relations, settle_conflicts, temporal_warnings
from .keys import BY_ENV, BY_FLAG, ENV_PREFIX, KEYS, Key
from .origin import DEFAULT, Origin
from .profiles import PROFILE, PROFILES
from .refuse import Refuse, raise_it
from .settings import (
    AgentsSettings,
    FilesSettings,
    LlmSettings,
    LogSettings,
    NatsSettings,
    RoleLlmSettings,
    Settings,
    SkillsSettings,
    SwarmSettings,
    TemporalSettings,
    TlsSettings,
    WebSettings,
)
from .spelling import did_you_mean
from .values import Raw, alias_notes, parse_value, to_raw

FILE_NAME = Path(".picoclaw") / "config.yaml"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a process was told, where each setting came from, and what its reader should know."""

    settings: Settings
    origins: Mapping[str, Origin]
    """For every key of `KEYS`."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is well, and may not be what it was taken for: for a node's reader."""

    def given(self, key: str) -> bool:
        """Whether any source set the very key, be it to its default; a profile does not count."""
        return self.origins[key].explicit


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    file: Path | None,
    home: Path,
    refuse: Refuse = raise_it,
) -> Loaded:
    """Merge and check all sources. Nothing is written and nothing is started.

    `flags` holds dotted keys (or any spelling of a flag) of those flags only that were given; their
    values are texts, or lists of texts, or typed values. `file` is the file of `--config`, which must
    be there; None means `.picoclaw/config.yaml` under `home`, which may be missing. An empty
    environment variable counts as not set, but for the Temporal address, where it means none.
    Raises ConfigError: one line with the key and its source, never a secret's value. `refuse`, if
    given, hears of each mistake instead, and what is mistaken counts as not set.
    """
    path = file if file is not None else home / FILE_NAME
    values: dict[str, object] = {}
    origins: dict[str, Origin] = dict.fromkeys(KEYS, DEFAULT)
    notes: tuple[str, ...] = ()
    from_environment, warnings = _from_environment(environ)
    # Lowest first; every value is checked, also one that a higher source replaces.
    from_file = _from_file(path, file is not None, environ, refuse)
    for layer in (from_file, from_environment, _from_flags(flags, refuse)):
        for name, (raw, origin) in layer.items():
            try:
                values[name] = _parsed(KEYS[name], raw, origin)
            except ConfigError as error:
                refuse(error)
                continue
            origins[name] = origin
            if KEYS[name].kind == "capabilities":
                notes = alias_notes(raw)
    _add_profile(values, origins)
    _imply_enabled(values, origins)
    warnings += settle_conflicts(values, origins, refuse)
    check_files(values, origins, file_base=path.absolute().parent, here=_here(), home=home, refuse=refuse)
    settings = build(values)
    check_relations(settings, origins, refuse)
    warnings += temporal_warnings(settings, origins)
    return Loaded(settings, MappingProxyType(origins), tuple(warnings), notes)


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError(
            "the folder in which this command was started is gone: `cd` to another one and start it again"
        ) from None


def build(values: Mapping[str, object]) -> Settings:
    """Return settings from typed values by dotted key; what is missing keeps its default."""

    def under(prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): value
            for name, value in values.items()
            if name.startswith(prefix) and "." not in name.removeprefix(prefix)
        }

    return Settings(
        swarm=SwarmSettings(
            **under("swarm."),
            nats=NatsSettings(**under("swarm.nats."), tls=TlsSettings(**under("swarm.nats.tls."))),
            temporal=TemporalSettings(**under("swarm.temporal.")),
        ),
        llm=LlmSettings(**under("llm."), coordinator=RoleLlmSettings(**under("llm.coordinator."))),
        capabilities=FilesSettings(**under("capabilities.")),
        workflows=FilesSettings(**under("workflows.")),
        agents=AgentsSettings(**under("agents.")),
        web=WebSettings(**under("web.")),
        mcp=FilesSettings(**under("mcp.")),
        skills=SkillsSettings(**under("skills.")),
        log=LogSettings(**under("log.")),
    )


def value_of(settings: Settings, key: str) -> object:
    """Return the value that the settings hold for a dotted key of `KEYS`."""
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


_Layer = Mapping[str, tuple[Raw, Origin]]


def _from_flags(flags: Mapping[str, object], refuse: Refuse) -> _Layer:
    layer: dict[str, tuple[Raw, Origin]] = {}
    for name, value in flags.items():
        key = KEYS.get(name) or BY_FLAG.get(name if name.startswith("--") else f"--{name}")
        if key is None:
            refuse(ConfigError(f"unknown flag {name!r}{did_you_mean(name, (*KEYS, *BY_FLAG))}"))
            continue
        layer[key.name] = to_raw(value), Origin("flag", key.flag)
    return layer


def _from_environment(environ: Mapping[str, str]) -> tuple[_Layer, list[str]]:
    layer: dict[str, tuple[Raw, Origin]] = {}
    strangers: list[str] = []
    warnings: list[str] = []
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX):
            continue
        key = BY_ENV.get(name)
        if key is not None:
            if environ[name].strip() or key.kind == "text":
                layer[key.name] = environ[name], Origin("environment", name)
        elif hint := did_you_mean(name, BY_ENV):
            warnings.append(f"environment {name} is not a setting and is ignored{hint}")
        else:
            strangers.append(name)
    if strangers:
        warnings.append(f"environment {', '.join(strangers)}: not a setting, ignored")
    return layer, warnings


def _from_file(path: Path, required: bool, environ: Mapping[str, str], refuse: Refuse) -> _Layer:
    if not required and not os.path.lexists(path):  # a dangling link is a mistake worth a word
        return {}
    from .file import read_file

    try:
        read = read_file(path, environ, refuse=refuse)
    except ConfigError as error:
        refuse(error)
        return {}
    return {value.name: (value.raw, Origin("file", f"{path}:{value.line}")) for value in read}


def _parsed(key: Key, raw: Raw, origin: Origin) -> object:
    try:
        return parse_value(key, raw)
    except (ConfigError, NameRefused) as error:
        raise ConfigError(f"{key.name} ({origin}): {error}") from None


def _add_profile(values: dict[str, object], origins: dict[str, Origin]) -> None:
    """Let the chosen profile set what no source has set."""
    chosen = values.get(PROFILE)
    if not isinstance(chosen, str):
        return
    for name, raw in PROFILES[chosen].items():
        if name not in values:
            values[name] = parse_value(KEYS[name], raw)
            origins[name] = Origin("profile", chosen)


def _imply_enabled(values: dict[str, object], origins: dict[str, Origin]) -> None:
    """Let any node flag enable the swarm, unless `--swarm.enabled=false` stands beside it."""
    if origins["swarm.enabled"].source == "flag":
        return
    for name, origin in origins.items():
        if origin.source == "flag" and KEYS[name].implies_enabled:
            values["swarm.enabled"] = True
            origins["swarm.enabled"] = Origin("flag", f"{origin.detail}, which implies it")
            return
