"""git, called so that a repository can run nothing: no hooks, no monitors, no prompts, no submodules."""

import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from ...errors import RepositoryError
from ..tool import child_environment

PROTOCOLS = ("https", "http", "ssh", "git")
"""How a repository may be fetched; no `file`, no `ext`: those reach into the worker's machine."""

SAFE = (
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "submodule.recurse=false",
    "-c", "protocol.allow=never",
    *(word for name in PROTOCOLS for word in ("-c", f"protocol.{name}.allow=always")),
    # Whoever owns the folder: with the settings above, reading it runs nothing of theirs.
    "-c", "safe.directory=*",
)  # fmt: skip

ALLOWED = ("HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
           "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")  # fmt: skip
"""What git needs of our environment to reach a host that its user can reach."""

QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


class GitAbsent(RepositoryError):
    """Raised when git is not on the PATH."""


class GitFailed(RepositoryError):
    """Raised when git ended with an error; the message holds its last words."""


def git(
    folder: Path,
    *arguments: str,
    timeout: timedelta = timedelta(seconds=60),
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run git in a folder, with these variables besides, and return what it printed; blocking.

    Raises GitAbsent, GitFailed with git's own last words, or RepositoryError when its time is up.
    """
    try:
        done = subprocess.run(
            ["git", *SAFE, *arguments],
            cwd=folder,
            env=child_environment({**QUIET, **(env or {})}, ALLOWED),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout.total_seconds(),
            check=False,
        )
    except FileNotFoundError:
        raise GitAbsent("git is not on the PATH: install git") from None
    except subprocess.TimeoutExpired:
        raise RepositoryError(
            f"git {arguments[0]} did not end within {timeout.total_seconds():.0f} s: is the host reachable?"
        ) from None
    if done.returncode:
        raise GitFailed(last_words(done.stderr) or f"git {arguments[0]} ended with {done.returncode}")
    return done.stdout


RAW = "* -text -ident -filter !working-tree-encoding !eol\n"
"""Attributes by which files are the very bytes that were committed, whatever the repository's own say."""


def keep_bytes(repository: Path) -> None:
    """Have a git folder of ours change no byte of a file on its way in or out; blocking."""
    info = repository / "info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text(RAW, encoding="ascii")


def last_words(stderr: bytes) -> str:
    """Return what git says went wrong, in one line of at most 300 characters."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    return (fatal or lines or [""])[-1].removeprefix("fatal: ")[:300]


def inside_work_tree(folder: Path) -> bool:
    """Return whether a folder lies in a git work tree; raises GitAbsent when there is no git to ask."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return False
    try:
        return git(folder, "rev-parse", "--is-inside-work-tree").strip() == b"true"
    except GitFailed:
        return False


def place_within(folder: Path) -> str:
    """Return where a folder of a work tree lies in it, such as `src/web`; empty for all of it."""
    said = git(folder, "rev-parse", "--show-prefix").removesuffix(b"\n")
    return os.fsdecode(said).strip("/")


def listed_files(folder: Path) -> list[str]:
    """Return the tracked and unignored files below a folder of a work tree, relative to it."""
    out = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted({os.fsdecode(name) for name in out.split(b"\0") if name})
