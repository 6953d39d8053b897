"""What the agents of a local swarm are told and held to: this user's own settings and files."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...config.settings import Settings

SECTIONS = ("agents", "web", "mcp", "skills")


def local_agents(loaded: "Loaded") -> "Settings":
    """Return the settings with the user's own files named, as a local node's home is another one."""
    from ...capabilities.agent.profiles.known import FOLDER, policy_path
    from ...capabilities.told import Told
    from ...swarm.embedded.rundir import picoclaw_home

    settings, home = loaded.settings, picoclaw_home()
    usual = home / FOLDER
    agents = replace(
        settings.agents,
        path=_absolute(settings.agents.path or ((usual,) if usual.is_dir() else ())),
        policy=policy_path(Told(settings=settings, home=home)),
    )
    if agents.policy is not None:
        agents = replace(agents, policy=agents.policy.absolute())
    return replace(
        settings,
        agents=agents,
        mcp=replace(settings.mcp, path=_absolute(settings.mcp.path)),
        skills=replace(settings.skills, path=_absolute(settings.skills.path)),
    )


def to_orders(settings: "Settings", *, profiles: bool) -> dict[str, Any]:
    """Return the sections as JSON; without `profiles` none of the user's agents are served, but all of
    their rules hold."""
    from pydantic import TypeAdapter

    if not profiles:
        settings = replace(settings, agents=replace(settings.agents, path=()))
    return {
        name: TypeAdapter(type(section)).dump_python(section, mode="json")
        for name in SECTIONS
        for section in (getattr(settings, name),)
    }


def _absolute(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(path.absolute() for path in paths)
