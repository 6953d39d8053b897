"""A request that is to come again and again, checked before anything is sent; the same for every door."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RepositoryError, UsageError
from .asked import sender

if TYPE_CHECKING:
    from ..swarm.cron.record import Schedule
    from ..swarm.records import RepositoryRef, Request
    from ..swarm.swarm import Swarm
    from .asked import Asked


async def recurring_request(asked: "Asked") -> "Request":
    """Return what is asked each time; the repository's commit is looked up at each firing.

    A URL that cannot be read from here is told and kept: the coordinators may have other rights. Raises
    UsageError and RepositoryError.
    """
    if asked.key is not None:
        raise UsageError("a recurring request takes no key: each firing is a request of its own")
    repository = await _refer(asked) if asked.repo is not None else None
    return asked.request_about(repository)


async def _refer(asked: "Asked") -> "RepositoryRef":
    from ..capabilities.repository.reference import resolve_url
    from ..capabilities.repository.url import check_url, is_url
    from ..swarm.records import RepositoryRef

    repo = asked.repo or ""
    if not is_url(repo) or await asyncio.to_thread(os.path.isdir, repo):
        origin = await asyncio.to_thread(_origin, repo)
        meant = f", such as {origin}" if origin else ""
        raise UsageError(
            "a recurring request cannot carry a copy of a folder: it would be the same old copy each time; "
            f"name a git URL with --repo{meant}"
        )
    url = check_url(repo.partition("#")[0])
    try:
        await asyncio.to_thread(resolve_url, repo)
    except RepositoryError as error:
        asked.tell(f"{error}; it is tried again from a coordinator at each firing")
    return RepositoryRef(url=repo, label=url)


def _origin(folder: str) -> str:
    """Return the URL that a folder was cloned from, if it may stand in a request; blocking."""
    from ..capabilities.repository.git import GitAbsent, GitFailed, git
    from ..capabilities.repository.url import check_url, is_url

    try:
        url = git(Path(folder).expanduser(), "remote", "get-url", "origin").decode().strip()
        return check_url(url) if is_url(url) else ""
    except (GitAbsent, GitFailed, RepositoryError, OSError, RuntimeError, UnicodeDecodeError):
        return ""


async def fire_now(swarm: "Swarm", schedule: "Schedule") -> str:
    """Hand in what a schedule asks, now, and return the request's id.

    Raises RepositoryError when its repository cannot be read from here, QueueFull, SwarmError.
    """
    from ..capabilities.repository.reference import resolve_url
    from ..swarm.cron.firing import request_now
    from ..swarm.records import new_id
    from ..swarm.server_time import server_time
    from ..swarm.submission import submit

    request = request_now(schedule, f"run {new_id()}", at=await server_time(swarm))
    repository = request.repository
    if repository is not None and repository.url is not None and repository.commit is None:
        now = await asyncio.to_thread(resolve_url, repository.url)
        request = request.model_copy(update={"repository": now, "sender": sender()})
    await submit(swarm, request)
    return request.id
