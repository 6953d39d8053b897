"""What an agent changed in a repository: a patch, and a branch in a bundle where a commit was named.

Nothing is pushed. `git apply changes.patch` on the commit applies it; `git fetch changes.bundle` brings
the branch to a clone that has the commit.
"""

import asyncio
import re
import time

from ....swarm.records import ArtifactRef, QueuedTask
from ...executor import Context
from ...repository.clone import COMMIT
from ...repository.worktree import Worktree, base_git, changes

AGENT = "PicoClaw agent <agent@picoclaw.invalid>"
PATCH, BUNDLE = "changes.patch", "changes.bundle"
_SUBJECT = 72
"""Characters of a commit's first line."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


async def hand_in_change(work: Worktree, task: QueuedTask, context: Context) -> tuple[ArtifactRef, ...]:
    """Store what was changed, whether it was committed or not; nothing where nothing was.

    Raises FinalError for a change that is too large for a patch.
    """
    change = await changes(work)
    if change is None:
        return ()
    patch = await context.artifacts.put_file(change.patch, media_type="text/x-diff", filename=PATCH)
    reference = task.task.repository
    named = reference.commit if reference is not None else None
    if not named or not COMMIT.fullmatch(named) or await _has_submodules(work):
        return (patch,)
    bundle = await _bundle(work, task, named)
    return patch, await context.artifacts.put(bundle, media_type="application/x-git-bundle", filename=BUNDLE)


def branch_of(task: QueuedTask) -> str:
    """Return the name of the branch that a task's change stands on."""
    return f"picoclaw/{_OTHER.sub('-', task.id)}"


async def _has_submodules(work: Worktree) -> bool:
    # A checkout leaves their folders empty, so a branch of it would take them away.
    listed = await base_git(work, "ls-tree", "--name-only", "-z", "HEAD", "--", ".gitmodules")
    return bool(listed.stdout)


async def _bundle(work: Worktree, task: QueuedTask, named: str) -> bytes:
    """Return a bundle of one commit upon the named one, whose history is not here and need not be."""
    tree = (await base_git(work, "write-tree")).stdout.decode().strip()
    lines = str(task.task.input.get("text", task.text)).strip().splitlines() or ["change"]
    now = int(time.time())
    commit = (
        f"tree {tree}\nparent {named}\nauthor {AGENT} {now} +0000\ncommitter {AGENT} {now} +0000\n\n"
        f"{_subject(lines[0])}\n\nTask: {task.id}\n"
    ).encode("utf-8", "replace")
    made = await base_git(work, "hash-object", "-t", "commit", "-w", "--stdin", stdin=commit)
    head = made.stdout.decode().strip()
    raw = await base_git(
        work, "diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", "--no-abbrev", "HEAD", tree
    )
    ids = await asyncio.to_thread(_new_objects, raw.stdout)
    listed = "\n".join(dict.fromkeys([head, tree, *ids])) + "\n"
    pack = await base_git(work, "pack-objects", "--stdout", "--quiet", stdin=listed.encode())
    header = f"# v2 git bundle\n-{named}\n{head} refs/heads/{branch_of(task)}\n\n"
    return header.encode() + pack.stdout


def _subject(line: str) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in line).split())
    return text if len(text) <= _SUBJECT else text[: _SUBJECT - 1] + "…"


def _new_objects(raw: bytes) -> list[str]:
    """Return the objects on the new side of a raw difference, those that were deleted left out."""
    fields = [field.split(b" ") for field in raw.split(b"\0") if field.startswith(b":")]
    return [field[3].decode() for field in fields if len(field) == 5 and field[3].strip(b"0")]
