"""Agents on this machine: what their commands run in, and who answers their web searches."""

import os
from collections.abc import Mapping

from ...config.settings import Settings
from ...swarm.checks.row import Row, failed, ok, warning


def agent_rows(settings: Settings, environ: Mapping[str, str] | None = None) -> list[Row]:
    """Check what the tools of agents need; without a model nothing of it is missed."""
    from ...capabilities.agent.web.searching import lacks

    rows = [_sandbox(settings)]
    if settings.web.search != "none":
        why = lacks(settings.web, os.environ if environ is None else environ)
        if why:
            rows.append(warning("web search", why, "set it, or leave web.search out"))
        else:
            rows.append(ok("web search", settings.web.search))
    return rows


def _sandbox(settings: Settings) -> Row:
    from ...capabilities.agent.sandbox.choose import choose

    chosen = choose(settings.agents)
    if chosen.sandbox is None:
        return failed("sandbox", chosen.lacks, "install it, or set agents.sandbox to auto or none")
    said = f"commands of agents run in {chosen.sandbox.said}"
    if chosen.sandbox.name != "none" or not settings.llm.model:
        return ok("sandbox", said)
    fix = chosen.lacks or "set agents.sandbox to auto"
    return warning("sandbox", said, fix.partition(": ")[2] or fix)
