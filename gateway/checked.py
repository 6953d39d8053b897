"""What a program asks of the swarm by keyword arguments, checked before anything is sent."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue

from ..errors import UsageError
from ..roles.planning.template import shipped_templates
from ..swarm.submission import Unroutable
from .asked import HERE, Asked, check_repository, check_text, means_this_folder
from .demanded import demand_of

log = logging.getLogger(__name__)


def asked_for(
    text: str,
    *,
    capability: str | None,
    node: str | None,
    labels: Mapping[str, str] | None,
    repo: str | Path | None,
    template: str | None,
    input: Mapping[str, JsonValue] | None,
    priority: int,
    deadline: timedelta | None,
    unroutable: Unroutable | None,
    max_attempts: int | None,
    key: str | None,
) -> Asked:
    """Return what is asked, checked. Raises UsageError and its kind."""
    for what, given in (("the request's text", text), ("template", template or "")):
        check_text(given, what)
    if not text.strip():
        raise UsageError("the request is empty: say what is to be done")
    if key is not None and not key.strip():
        raise UsageError("key is empty: give each request a key of its own, or leave it out")
    if priority not in (0, 1, 2, 3):
        raise UsageError(f"priority {priority!r} is none: use 0 low, 1 normal, 2 high or 3 critical")
    if deadline is not None and deadline <= timedelta(0):
        raise UsageError("deadline must be above zero: give for example timedelta(minutes=10)")
    if unroutable not in (None, "wait", "fail", "skip", "local"):
        raise UsageError(f"unroutable {unroutable!r} is none of wait, fail, skip and local")
    if max_attempts is not None and not 1 <= max_attempts <= 100:
        raise UsageError(f"max_attempts {max_attempts!r} is out of range: give 1 to 100")
    demand, does = demand_of(capability, node, labels or {})
    if demand is not None and template is not None:
        raise UsageError("capability or node and template do not go together: a template has its own")
    folder = str(repo) if repo is not None else None
    if folder is None and demand is None and means_this_folder(text, shipped_templates(), template):
        folder = HERE
    if folder is not None:
        check_repository(folder)
    return Asked(
        text=text, demand=demand, capability=does, repo=folder, template=template, input=input or {},
        priority=priority, deadline=deadline, unroutable=unroutable, max_attempts=max_attempts, key=key,
        tell=tell,
    )  # fmt: skip


def tell(line: str) -> None:
    """Say in the program's log what its user should know."""
    log.warning("%s", line)
