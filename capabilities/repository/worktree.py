"""A worktree: a writable copy of a checkout as a git work tree, and what was changed in it as a patch.

The repository in the tree is the child's, to commit in as it likes. What changed is worked out with a
second one beside it, which the child does not know: nothing that it configures there runs in the node.
"""

import asyncio
import os
import shutil
import stat
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ...errors import FinalError, RetryableError
from ..removal import remove
from ..tool import ToolAbsent, ToolOutput, ToolTimedOut, run_tool
from .checkout import to_its_end
from .git import SAFE, keep_bytes, last_words

GIT_TIMEOUT = timedelta(minutes=2)
PATCH_LIMIT = 64 * 2**20
"""Bytes of the largest patch."""
AUTHOR = {
    name: value
    for who in ("AUTHOR", "COMMITTER")
    for name, value in (
        (f"GIT_{who}_NAME", "PicoClaw"),
        (f"GIT_{who}_EMAIL", "picoclaw@localhost"),
        (f"GIT_{who}_DATE", "2000-01-01T00:00:00Z"),
    )
}
ALONE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@dataclass(frozen=True, slots=True)
class Worktree:
    """A writable work tree, and the repository that knows how it was."""

    tree: Path
    base: Path
    place: str = ""
    """Where the tree lies in the repository of whoever sent it, such as `src/web`; empty: it is all of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed in a work tree."""

    patch: Path
    """For `git apply`, binary files included."""
    files: int


async def make_worktree(checkout: Path, folder: Path, place: str | None = None) -> Worktree:
    """Copy a checkout into `folder` and make it a git work tree with one commit.

    `place`: where the checkout lies in the repository that it is a part of, as its reference says.
    Raises FinalError where there is no git, RetryableError when it fails.
    """
    work = Worktree(folder / "tree", folder / "base.git", _sound(place or ""))
    await to_its_end(_copy, checkout, work.tree)
    await _git(folder, "init", "--quiet", "--bare", "--template=", str(work.base))
    await base_git(work, "config", "core.bare", "false")
    await asyncio.to_thread(keep_bytes, work.base)
    await base_git(work, "add", "--all", "--force", "--", ".")
    await base_git(work, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", "as it was sent")
    await to_its_end(_copy_repository, work)
    # A child without a name of its own may commit as well.
    for key in ("NAME", "EMAIL"):
        await _git(work.tree, "config", f"user.{key.lower()}", AUTHOR[f"GIT_AUTHOR_{key}"])
    return work


async def changes(work: Worktree) -> Change | None:
    """Return what was changed since, whatever was committed in between; None for nothing.

    Files that the repository ignores do not count; those of a repository within it do. Raises FinalError
    for a patch of over 64 MB.
    """
    await asyncio.to_thread(_make_plain, work.tree)
    await base_git(work, "add", "--all", "--", ".")
    names = await base_git(work, "diff", "--cached", "--name-only", "-z", "--no-renames", "HEAD")
    count = names.stdout.count(b"\0")
    if not count:
        return None
    patch = work.base.parent / "changes.patch"
    within = f"{work.place}/" if work.place else ""
    await base_git(
        work, "diff", "--cached", "--binary", "--no-color", "--no-ext-diff", "--no-textconv",
        f"--src-prefix=a/{within}", f"--dst-prefix=b/{within}", f"--output={patch}", "HEAD",
    )  # fmt: skip
    size = (await asyncio.to_thread(patch.stat)).st_size
    if size > PATCH_LIMIT:
        raise FinalError(
            f"what it changed makes a patch of {size // 2**20} MB, the limit is {PATCH_LIMIT // 2**20} MB: "
            "let it leave large files outside the work tree, or list them in .gitignore"
        )
    return Change(patch, count)


async def base_git(work: Worktree, *arguments: str, stdin: bytes | None = None) -> ToolOutput:
    """Run git on a work tree by the repository that only the node knows.

    Raises FinalError where there is no git, RetryableError when it fails.
    """
    places = (f"--git-dir={work.base}", f"--work-tree={work.tree}")
    return await _git(work.tree, *places, *arguments, stdin=stdin)


async def _git(cwd: Path, *arguments: str, stdin: bytes | None = None) -> ToolOutput:
    try:
        output = await run_tool(
            ["git", *SAFE, *arguments], cwd=cwd, timeout=GIT_TIMEOUT, env={**ALONE, **AUTHOR}, stdin=stdin
        )
    except ToolAbsent:
        raise FinalError(
            "a worktree needs git and it is not on this node's PATH: install git there"
        ) from None
    except ToolTimedOut as error:
        raise RetryableError(f"{error}: is the disk busy?") from None
    if output.returncode:
        words = last_words(output.stderr.encode()) or "failed without a word"
        raise RetryableError(f"the work tree: git: {words}")
    return output


def _sound(place: str) -> str:
    """Return a place within a repository as a patch may name it; empty for one that leads elsewhere."""
    parts = place.split("/")
    return "" if {"", ".", ".."} & set(parts) or not place.isprintable() else place


def _copy_repository(work: Worktree) -> None:
    shutil.copytree(work.base, work.tree / ".git")


def _make_plain(tree: Path) -> None:
    """Take away what makes repositories of folders in the tree: a patch would hold their names alone.

    One without a commit would keep git from adding anything.
    """
    for folder, folders, files in os.walk(tree):
        if Path(folder) == tree or ".git" not in (*folders, *files):
            continue
        inner = Path(folder, ".git")
        if inner.is_dir() and not inner.is_symlink():
            remove(inner)
            folders.remove(".git")
        else:
            inner.unlink()


def _copy(checkout: Path, tree: Path) -> None:
    shutil.copytree(checkout, tree, symlinks=True)
    for folder, _, files in os.walk(tree):
        for name in (".", *files):
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | stat.S_IRUSR | stat.S_IWUSR)
