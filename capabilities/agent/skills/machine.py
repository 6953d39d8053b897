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
    find_mcp: Callable[[], frozenset[str]] = frozenset
    """Returns the MCP servers that are ready; asked once, and only where a skill needs one."""
    find_tools: Callable[[], frozenset[str]] = frozenset
    """Returns the tools of agents here."""

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
                return bool(self.environ.get(thing.name))
            case "mcp":
                return thing.name in self._mcp
            case "tool":
                return thing.name in self._tools
            case "file":
                return os.path.exists(thing.name)


def this_machine(settings: Settings, environ: Mapping[str, str]) -> Machine:
    """Return this machine as its settings have it."""
    return Machine(environ, lambda: _servers(settings, environ), lambda: _tools(settings))


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
