"""What this machine has of all that skills may need; no network."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ....config.settings import Settings
from ....errors import ConfigError
from .needs import Thing, lacking
from .skill import Skill


@dataclass(frozen=True)
class Machine:
    """Answers whether a thing is here."""

    environ: Mapping[str, str]
    passed_on: frozenset[str] = frozenset()
    """Variables of it that commands of agents see."""
    find_mcp: Callable[[], frozenset[str]] = frozenset
    """Returns the MCP servers that are ready; asked once, and only where a skill needs one."""
    find_tools: Callable[[], frozenset[str]] = frozenset
    """Returns the tools of agents here."""

    find_abilities: Callable[[], frozenset[str]] = frozenset
    """Returns what commands can do here: `network`, `host`."""

    @cached_property
    def _abilities(self) -> frozenset[str]:
        return self.find_abilities()

    @cached_property
    def _mcp(self) -> frozenset[str]:
        return self.find_mcp()

    @cached_property
    def _tools(self) -> frozenset[str]:
        return self.find_tools()

    def has(self, thing: Thing) -> bool:
        """Return whether a thing is here now."""
        match thing.kind:
            case "program":
                return shutil.which(thing.name, path=self.environ.get("PATH")) is not None
            case "env":
                return thing.name in self.passed_on and bool(self.environ.get(thing.name))
            case "mcp":
                return thing.name in self._mcp
            case "tool":
                return thing.name in self._tools
            case "can":
                return thing.name in self._abilities
            case "file":
                return os.path.exists(thing.name)


def this_machine(settings: Settings, environ: Mapping[str, str]) -> Machine:
    """Return this machine as its settings have it."""
    return Machine(
        environ,
        frozenset(settings.agents.env),
        lambda: _servers(settings, environ),
        lambda: _tools(settings),
        lambda: _abilities(settings),
    )


def not_ready(skill: Skill, machine: Machine) -> str:
    """Return in words what a skill lacks here; empty where it is ready."""
    return lacking(skill.needs, machine.has)


def _servers(settings: Settings, environ: Mapping[str, str]) -> frozenset[str]:
    from ..mcp.readiness import readiness
    from ..mcp.source import servers_of

    try:
        servers = servers_of(settings)
    except ConfigError:
        return frozenset()  # whoever reads the file itself says what is wrong with it
    return frozenset(server.name for server in servers if readiness(server, environ).ready)


def _tools(settings: Settings) -> frozenset[str]:
    from ..profiles.profile import Profile
    from ..tools.toolbox import Kit, built_in

    kit = Kit(profile=Profile(name="skills"), settings=settings)
    return frozenset(tool.spec.name for tool in built_in(kit))


def _abilities(settings: Settings) -> frozenset[str]:
    from ..sandbox.choose import choose

    sandbox = choose(settings.agents).sandbox
    if sandbox is None:
        return frozenset()
    if sandbox.name == "none":
        return frozenset({"host", "network"})
    return frozenset({"network"}) if settings.agents.network else frozenset()
