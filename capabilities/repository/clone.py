"""A git URL and commit into a folder: shallow, without hooks, prompts, submodules or history."""

import asyncio
import os
import re
from datetime import timedelta
from pathlib import Path

from ...errors import FinalError, RepositoryError, RetryableError
from ...swarm.records import RepositoryRef
from ..tool import ToolAbsent, ToolOutput, ToolTimedOut, run_tool
from .git import ALLOWED, QUIET, SAFE, keep_bytes, last_words
from .snapshot import Limits
from .url import check_url

COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


async def clone(repository: RepositoryRef, folder: Path, limits: Limits, timeout: timedelta) -> None:
    """Fetch one commit into an empty folder and leave only its files there.

    Raises FinalError for what can never work and RetryableError when the host fails or is silent.
    """
    try:
        url = check_url(repository.url or "")
    except RepositoryError as error:
        raise FinalError(str(error)) from None
    commit = repository.commit or ""
    if not commit:
        raise FinalError(
            f"{url} could not be read when the request was made, so that no commit of it is known: look at the "
            "coordinator's log, and see to it that it can reach that host"
        )
    if not COMMIT.fullmatch(commit):
        raise FinalError(f"{commit[:80]!r} is not a commit: it takes the whole hash, 40 or 64 hex digits")
    work = folder.parent / "git"
    await asyncio.to_thread(work.mkdir)
    await _git(work, timeout, "init", "--quiet", "--template=", ".")
    # A change of it is told as a change of that commit: bytes that were converted would be another one.
    await asyncio.to_thread(keep_bytes, work / ".git")
    fetched = await _git(
        work, timeout, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--",
        url, commit, must=False,
    )  # fmt: skip
    if fetched.returncode:
        # Some servers hand out only tips of branches; then the history has to come along.
        await _git(
            work, timeout, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--", url,
            "+refs/heads/*:refs/remotes/origin/*",
        )  # fmt: skip
    found = await _git(work, timeout, "cat-file", "-e", f"{commit}^{{commit}}", must=False)
    if found.returncode:
        raise FinalError(f"{url} has no commit {commit[:12]}: was it pushed?")
    # The repository's own folder stays outside what is handed out.
    places = (f"--git-dir={work / '.git'}", f"--work-tree={folder}")
    await _git(folder, timeout, *places, "checkout", "--quiet", "--force", commit, "--", ".")
    await asyncio.to_thread(_check_size, folder, limits, url)


async def _git(work: Path, timeout: timedelta, *arguments: str, must: bool = True) -> ToolOutput:
    try:
        output = await run_tool(
            ["git", *SAFE, *arguments], cwd=work, timeout=timeout, env=QUIET, allow=ALLOWED
        )
    except ToolAbsent:
        raise FinalError("git is not on this node's PATH: install git there, or send a folder") from None
    except ToolTimedOut as error:
        raise RetryableError(f"{error}: is the repository's host reachable from this node?") from None
    if must and output.returncode:
        raise RetryableError(f"git: {last_words(output.stderr.encode()) or 'failed without a word'}")
    return output


def _check_size(folder: Path, limits: Limits, url: str) -> None:
    size = count = 0
    for here, _, files in os.walk(folder):
        count += len(files)
        size += sum(os.lstat(os.path.join(here, name)).st_size for name in files)
        if count > limits.max_files or size > limits.max_bytes:
            raise FinalError(
                f"{url} holds more than {limits.max_bytes // 2**20} MB or {limits.max_files:,} files: "
                "send the part that matters as a folder"
            )
    if not count:
        raise FinalError(f"{url} holds no file at that commit: there is nothing to review")
