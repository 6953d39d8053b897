"""What is wrong with a request for a local swarm, found before a process is started."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..printing.output import safe

if TYPE_CHECKING:
    from ...config.settings import LlmSettings
    from ...gateway.asked import Asked

SHOWN = 5
"""Repositories of a folder that are named."""


async def check_first(asked: "Asked", llm: "LlmSettings | None" = None) -> None:
    """Raise UsageError for words that nothing serves, RepositoryError for a URL that cannot be read.

    `llm`: the models that serve any words; None: there are none.
    """
    if llm is None:
        check_served(asked.text)
    if asked.repo is not None:
        await asyncio.to_thread(_check_url, asked.repo)


def _check_url(repo: str) -> None:
    from ...capabilities.repository.reference import resolve_url
    from ...capabilities.repository.url import is_url

    if is_url(repo) and not os.path.isdir(repo):
        resolve_url(repo)


def check_served(text: str) -> None:
    """Raise UsageError for words that no workflow of the package serves: a local swarm knows no others."""
    from ...roles.planning.asked_for import near_ask
    from ...roles.planning.template import asks_for_template, shipped_templates

    templates = shipped_templates()
    if any(asks_for_template(text, template) for template in templates):
        return
    near = near_ask(text, templates)
    meant = f"; did you mean {near!r}?" if near else ""
    asks = [phrase for template in templates for phrase in template.match.asks]
    known = f"a request that begins with {', '.join(asks[:SHOWN])} …" if asks else "no words"
    raise UsageError(
        f"nothing here serves {safe(text[:60])!r}{meant} (it takes {known}; for other words set llm.model; "
        "`picoclaw workflows list` names workflows to run by name)"
    )


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
