"""A checkout: a repository's files on this node, read-only, in a cache keyed by digest."""

import asyncio
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec

from ...errors import FinalError, RetryableError
from ...swarm.records import RepositoryRef
from ..executor import Artifacts
from ..removal import remove
from .clone import clone
from .snapshot import Limits
from .unpack import unpack

P = ParamSpec("P")

READ_ONLY = stat.S_IRUSR | stat.S_IXUSR
UNFINISHED = ".unfinished-"
KEEP = timedelta(days=1)
"""How long a checkout that nobody used stays in the cache."""


async def checkout(
    repository: RepositoryRef,
    artifacts: Artifacts,
    cache: Path,
    *,
    limits: Limits | None = None,
    timeout: timedelta = timedelta(minutes=5),
) -> Path:
    """Return the folder with the repository's files, fetched on first use.

    Any number of jobs and processes may ask for one repository at once: each prepares a folder of its
    own and the first to finish gives it its name. Raises FinalError for a reference that can never be
    fetched or an archive that is refused, RetryableError when a host does not answer.
    """
    key = _key(repository)
    place = cache / key
    if await asyncio.to_thread(_use, place):
        return place
    await asyncio.to_thread(prune, cache)
    folder = await asyncio.to_thread(_prepare, cache, key)
    files = folder / "files"
    try:
        if repository.snapshot is not None:
            archive = folder / "snapshot.tar.gz"
            await artifacts.get_file(repository.snapshot, archive)
            await to_its_end(unpack, archive, files, limits or Limits())
        else:
            await clone(repository, files, limits or Limits(), timeout)
        await to_its_end(_finish, files, place)
    finally:
        # Shielded: a cancelled job leaves nothing behind either.
        await asyncio.shield(asyncio.to_thread(remove, folder))
    return place


async def to_its_end(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Run a function in a thread; when cancelled, wait for it first.

    A thread cannot be stopped, and one that still writes would fill the folder that is being removed.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            # Looked at, so that asyncio does not complain of an error that nobody saw.
            work.exception()
        raise


def _key(repository: RepositoryRef) -> str:
    if repository.snapshot is not None:
        digest = repository.snapshot.digest
        if len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest):
            raise FinalError("the repository's digest is not a SHA-256: its sender is not a PicoClaw node")
        return digest
    if repository.url and repository.commit:
        return hashlib.sha256(f"{repository.url}\n{repository.commit}".encode()).hexdigest()
    raise FinalError("the repository has neither a snapshot nor a URL with a commit: send it again")


def _prepare(cache: Path, key: str) -> Path:
    """Return a folder that nobody else works in, beside the place, with an empty `files` in it."""
    cache.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)
    folder = cache.resolve() / f"{UNFINISHED}{key[:16]}-{secrets.token_hex(4)}"
    (folder / "files").mkdir(parents=True)
    return folder


def _use(place: Path) -> bool:
    """Mark a checkout as used now; False when it is not there."""
    try:
        os.utime(place)
    except FileNotFoundError:
        return False
    return True


def _finish(files: Path, place: Path) -> None:
    _make_read_only(files)
    try:
        files.rename(place)
    except OSError as error:
        if not place.is_dir():
            raise RetryableError(f"the checkout could not be put in its place: {error}") from error
        # Somebody else was faster; theirs is the same.


def _make_read_only(root: Path) -> None:
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode & READ_ONLY)
        if folder != str(root):
            os.chmod(folder, READ_ONLY)
    # The root keeps its owner's leave to write: renaming it needs that on some systems.
    os.chmod(root, stat.S_IRWXU)


def prune(cache: Path, keep: timedelta = KEEP) -> int:
    """Remove the checkouts that nobody asked for within `keep`, and return how many; blocking.

    What a killed node left unfinished goes the same way.
    """
    if not cache.is_dir():
        return 0
    limit = time.time() - keep.total_seconds()
    removed = 0
    for entry in cache.iterdir():
        try:
            old = entry.is_dir() and entry.stat().st_mtime < limit
        except FileNotFoundError:
            # Another job has just given it its name, or removed it.
            continue
        if old:
            remove(entry)
            removed += 1
    return removed
