"""A `--repo` argument becomes a reference that can travel: a snapshot of a folder, or a URL and commit."""

import asyncio
import os
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ...errors import RepositoryError
from ...swarm.records import RepositoryRef
from ..executor import Artifacts
from .git import GitAbsent, GitFailed, git
from .snapshot import MEDIA_TYPE, Limits, Snapshot, take_snapshot
from .url import check_url, is_url


@dataclass(frozen=True, slots=True)
class Referred:
    """A repository ready to be sent, and what its sender should be told."""

    repository: RepositoryRef
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: int | None = None
    """None for a URL."""


async def refer(argument: str, artifacts: Artifacts, *, limits: Limits | None = None) -> Referred:
    """Return the reference for a folder or git URL; a folder is packed and stored.

    Raises RepositoryError before anything is sent. Nothing of the folder's path travels but its name.
    """
    # A folder may be named like the short form of ssh, `a:b`.
    if is_url(argument) and not await asyncio.to_thread(os.path.isdir, argument):
        return Referred(await asyncio.to_thread(resolve_url, argument))
    with tempfile.TemporaryDirectory(prefix="picoclaw-snapshot-") as folder:
        archive = Path(folder, "snapshot.tar.gz")
        snapshot = await asyncio.to_thread(take_snapshot, Path(argument), archive, limits)
        return await send_snapshot(snapshot, artifacts)


async def send_snapshot(snapshot: Snapshot, artifacts: Artifacts) -> Referred:
    """Store a snapshot and return its reference."""
    stored = await artifacts.put_file(
        snapshot.path, media_type=MEDIA_TYPE, filename=f"{snapshot.label}.tar.gz"
    )
    return Referred(
        RepositoryRef(snapshot=stored, label=snapshot.label, place=snapshot.place or None),
        warnings=snapshot.warnings,
        notes=snapshot.notes,
        files=snapshot.files,
    )


def resolve_url(text: str, timeout: timedelta = timedelta(seconds=30)) -> RepositoryRef:
    """Return a URL with the commit that its default branch, or the branch after `#`, stands at; blocking.

    Raises RepositoryError when the URL is refused, the host is silent or the branch does not exist.
    """
    text, _, branch = text.partition("#")
    url = check_url(text)
    wanted = (
        ["HEAD"]
        if not branch
        else [f"refs/heads/{branch}", f"refs/tags/{branch}^{{}}", f"refs/tags/{branch}"]
    )
    try:
        out = git(Path("/"), "ls-remote", "--", url, *wanted, timeout=timeout)
    except GitAbsent:
        raise
    except GitFailed as error:
        raise RepositoryError(f"{url} cannot be read: {error}") from None
    commits = {name: commit for commit, name in (line.split("\t", 1) for line in out.decode().splitlines())}
    for name in wanted:
        if name in commits:
            return RepositoryRef(url=url, commit=commits[name], label=url)
    what = f"branch or tag {branch!r}" if branch else "commit: it is empty"
    raise RepositoryError(f"{url} has no {what}")
