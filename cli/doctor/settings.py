"""The configuration: which file is read, what is odd in it, and the user's own definitions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.load import FILE_NAME, Loaded
from ...config.settings import Settings
from ...errors import PicoclawError
from ...swarm.checks.row import Row, failed, ok, warning
from .rules import rule_rows
from .sources import source_rows

if TYPE_CHECKING:
    from ...capabilities.executor import AgentServed
    from ...capabilities.told import Told


def settings_rows(loaded: Loaded, file: Path | None, home: Path) -> list[Row]:
    """Check what was read; `file` is that of `--config`, `home` the user's home."""
    path = file or home / FILE_NAME
    read = ok("config", str(path) if path.exists() else f"{path} is not there: defaults are used")
    rows = [
        warning("config", text, "correct it; `picoclaw --help` lists the settings")
        for text in loaded.warnings
    ]
    return [read, *rows]


def definition_rows(loaded: Loaded, home: Path) -> list[Row]:
    """Check the user's definitions, and what this machine can serve with them; `home` is `~/.picoclaw`."""
    from ...capabilities.agent.profiles.known import known_profiles, profile_paths
    from ...capabilities.registry import load_executors
    from ...capabilities.told import Told
    from ...roles.workflow_files import load_templates, usual_folder

    settings = loaded.settings
    capabilities = settings.capabilities.path or (home / "capabilities",)
    workflows = settings.workflows.path or (usual_folder(home),)
    told = Told(settings=settings, home=home)
    agents = _read("agent files", profile_paths(told), lambda: known_profiles(told), "doctor")
    rules = rule_rows(told) if agents.status == "ok" else []
    if agents.status != "ok":
        told = Told(settings=Settings(llm=settings.llm))
    rows = [
        _read("capability files", capabilities, lambda: load_executors(capabilities, told), "capabilities"),
        _read("workflow files", workflows, lambda: load_templates(workflows), "workflows validate"),
    ]
    ready = _ready(capabilities, told) if rows[0].status == "ok" else []
    return [*rows, agents, *rules, *source_rows(settings), *ready]


def _read(name: str, paths: Sequence[Path], load: Callable[[], object], verb: str) -> Row:
    try:
        load()
    except PicoclawError as error:
        return failed(name, str(error), f"correct it; `picoclaw {verb}` reads it again")
    there = [str(path) for path in paths if path.exists()]
    return ok(name, f"valid: {', '.join(there)}" if there else "none")


def _ready(paths: Sequence[Path], told: "Told") -> list[Row]:
    from ...capabilities.executor import AgentServed, OfAProgram
    from ...capabilities.inventory import inventory
    from ...capabilities.registry import NEEDS_MODEL, load_executors
    from ...swarm.demand import AGENT_PREFIX

    executors = load_executors(paths, told)
    offered = inventory(executors)
    ready = ", ".join(one.name for one in offered if one.ready) or "none"
    rows = [ok("capabilities", f"ready: {ready}")]
    for one in offered:
        if one.ready or one.name in NEEDS_MODEL or one.by in ("", "agent"):
            continue
        if one.by == "analyzers":
            rows.append(ok("capabilities", f"{one.name}, optional: {one.needs}"))
        else:
            rows.append(warning("capabilities", f"{one.name} of {one.place} is not ready", one.needs))
    agents = [one for name, one in sorted(executors.items()) if name.startswith(AGENT_PREFIX)]
    for agent in agents:
        assert isinstance(agent, AgentServed)
        readiness = agent.readiness(AGENT_PREFIX + agent.agent)
        if agent.own and not readiness.ready:
            rows.append(warning("agents", f"{agent.agent} is not ready", readiness.needs))
        elif isinstance(agent, OfAProgram) and not readiness.ready:
            rows.append(ok("agents", f"{agent.agent}, optional: {readiness.needs}"))
    lacking = {one.needs for one in offered if one.name in NEEDS_MODEL and not one.ready}
    model = [one.name for one in offered if one.name in NEEDS_MODEL and not one.ready]
    if model and told.settings.llm.model:
        rows.append(warning("agents", f"{', '.join(model)} not ready", "; ".join(sorted(lacking))))
    elif model:
        rows.append(ok("capabilities", f"{', '.join(model)}: {'; '.join(sorted(lacking))}"))
    ready_agents = [one.agent for one in agents if isinstance(one, AgentServed) and _is_ready(one)]
    return [*rows, *([ok("agents", f"ready: {', '.join(ready_agents)}")] if ready_agents else [])]


def _is_ready(agent: "AgentServed") -> bool:
    return agent.readiness(agent.agent).ready
