"""What is wrong with a request for a local swarm, found before a process is started."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..printing.output import safe

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...gateway.asked import Asked
    from ..local.llm import LocalLlm

NO_MODEL = "give --llm.model, such as anthropic/claude-opus-5 with ANTHROPIC_API_KEY, or ollama/qwen3"
SHOWN = 5
"""Repositories of a folder that are named."""


async def check_first(asked: "Asked", llm: "LocalLlm") -> None:
    """Raise UsageError for words that nothing serves, RepositoryError for a URL that cannot be read."""
    if llm.settings is None and asked.plan == "model":
        raise UsageError(f"--plan model needs a model: {llm.lacks or NO_MODEL}")
    if llm.settings is None and asked.demand is None:
        check_served(asked.text, lacks=llm.lacks)
    if asked.repo is not None:
        await asyncio.to_thread(_check_url, asked.repo)


def _check_url(repo: str) -> None:
    from ...capabilities.repository.reference import resolve_url
    from ...capabilities.repository.url import is_url

    if is_url(repo) and not os.path.isdir(repo):
        resolve_url(repo)


def check_served(text: str, *, lacks: str = "") -> None:
    """Raise UsageError for words that no workflow of the package serves: a local swarm knows no others.

    `lacks`: why the model that is set, which serves any words, cannot be asked.
    """
    from ...roles.planning.asked_for import near_ask
    from ...roles.planning.template import asks_for_template, shipped_templates

    templates = shipped_templates()
    if any(asks_for_template(text, template) for template in templates):
        return
    near = near_ask(text, templates)
    if lacks and not near:
        raise UsageError(f"{safe(text[:60])!r} needs a model, and none takes part: {lacks}")
    meant = f"; did you mean {near!r}?" if near else ""
    asks = [phrase for template in templates for phrase in template.match.asks]
    known = f"a request that begins with {', '.join(asks[:SHOWN])} …" if asks else "no words"
    raise UsageError(
        f"nothing here serves {safe(text[:60])!r}{meant} (it takes {known}; other words need a model: "
        f"{lacks or NO_MODEL}; `picoclaw workflows list` names workflows to run by name)"
    )


def check_agent(name: str, loaded: "Loaded", llm: "LocalLlm") -> None:
    """Raise NotFound for an agent that this machine does not know, UsageError for one that lacks something."""
    from ...capabilities.executor import AgentServed
    from ...capabilities.registry import load_executors
    from ...capabilities.told import Told
    from ...config.spelling import nearest_word
    from ...errors import NotFound
    from ...swarm.demand import AGENT_PREFIX
    from ...swarm.embedded.rundir import picoclaw_home

    refused = ((loaded.settings.llm.model, llm.lacks),) if llm.lacks else ()
    found = load_executors(told=Told(settings=loaded.settings, home=picoclaw_home(), refused=refused))
    agents = {one.agent: one for one in found.values() if isinstance(one, AgentServed)}
    if name not in agents:
        near = nearest_word(name, agents)
        there = f"did you mean {near}?" if near else f"there is: {', '.join(sorted(agents))}"
        raise NotFound(
            f"no agent is called {name[:80]!r} on this machine; {there} "
            "(`picoclaw create agent NAME --local` makes one)"
        )
    readiness = agents[name].readiness(AGENT_PREFIX + name)
    if not readiness.ready:
        raise UsageError(f"agent {name} is not ready here: {readiness.needs}")


def folder_note(repo: str) -> str:
    """Return a word on a folder that is no git repository and holds several; else nothing."""
    folder = Path(repo).expanduser()
    try:
        root = folder.resolve()
        if any((parent / ".git").exists() for parent in (root, *root.parents)):
            return ""
        inner = sorted(path.name for path in root.iterdir() if (path / ".git").exists())
    except OSError:
        return ""
    if len(inner) < 2:
        return ""
    more = f" and {len(inner) - SHOWN} more" if len(inner) > SHOWN else ""
    return (
        f"{root.name or root} is no git repository; it is taken as one project with the repositories in it "
        f"({safe(', '.join(inner[:SHOWN]))}{more}): name one of them with --repo"
    )
