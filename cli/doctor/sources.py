"""What adds to agents: MCP servers and skills of the user's, and what they lack. Silent where there are none."""

import os

from ...config.settings import Settings
from ...errors import ConfigError
from ...swarm.checks.row import Row, failed, ok, warning


def source_rows(settings: Settings) -> list[Row]:
    """Check the files of MCP servers and the user's skills; no server is asked."""
    return [*_servers(settings), *_skills(settings)]


def _servers(settings: Settings) -> list[Row]:
    from ...capabilities.agent.mcp.readiness import readiness
    from ...capabilities.agent.mcp.source import servers_of

    try:
        servers = servers_of(settings)
    except ConfigError as error:
        return [failed("MCP servers", str(error), "correct it; `picoclaw mcp list` reads it again")]
    lacking = {server.name: readiness(server, os.environ).needs for server in servers}
    rows = [
        warning("MCP servers", f"{name} is not ready", needs.removeprefix("needs "))
        for name, needs in lacking.items()
        if needs
    ]
    ready = [name for name, needs in lacking.items() if not needs]
    return [*([ok("MCP servers", f"ready: {', '.join(ready)}")] if ready else []), *rows]


def _skills(settings: Settings) -> list[Row]:
    from ...capabilities.agent.skills.machine import not_ready, this_machine
    from ...capabilities.agent.skills.shelf import shelf_of

    found = shelf_of(settings)
    machine = this_machine(settings, os.environ)
    # Those that come along are no business of whoever did not ask for them.
    own = {skill.name: not_ready(skill, machine) for skill in found.skills.values() if skill.source == "user"}
    rows = [
        failed("skills", one.why, "correct it; `picoclaw skills list` reads it again") for one in found.broken
    ]
    rows += [warning("skills", f"{name} is not ready", why) for name, why in own.items() if why]
    ready = [name for name, why in own.items() if not why]
    return [*([ok("skills", f"ready: {', '.join(ready)}")] if ready else []), *rows]
