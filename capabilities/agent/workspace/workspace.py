"""The workspace of one attempt of an agent: opened, kept after each tool that writes, and handed in at the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ....swarm.records import ArtifactRef, QueuedTask
from ...executor import Context
from ...repository.checkout import to_its_end
from ...repository.worktree import Worktree, make_worktree
from .change import hand_in_change
from .delta import MEDIA_TYPE, Delta, baseline, incomplete, read_delta, write_delta
from .files import hand_in_files
from .manifest import Manifest


@dataclass(slots=True)
class Workspace:
    """Where an agent's tools work: `root`. Beside it lie its `home` and `tmp`, and `node`, which is ours."""

    root: Path
    worktree: Worktree | None
    """The request's repository, as a git work tree at `root`; None: `root` began empty."""
    context: Context
    left_behind: str = ""
    """What of its files was not handed in, in words, once it is finished; empty: nothing."""
    _known: Manifest = field(default_factory=lambda: Manifest({}))

    @property
    def node(self) -> Path:
        """A folder beside it that no tool sees."""
        return self.root.parent / "node"

    async def save(self) -> ArtifactRef | None:
        """Store what changed since the last time, for the journal; None when nothing did.

        Call it after each tool that may have written, before its outcome is. What cannot be kept is left
        out, and `restore` says so.
        """
        archive = self.node / "delta.tar.gz"
        written: list[Delta] = []
        await to_its_end(lambda: written.append(write_delta(self.root, self._known, archive)))
        self._known = written[0].after
        if not written[0].changed:
            return None
        return await self.context.artifacts.put_file(
            archive, media_type=MEDIA_TYPE, filename="workspace-delta.tar.gz"
        )

    async def restore(self, deltas: Sequence[ArtifactRef]) -> str:
        """Bring a workspace that was just opened to where an earlier attempt left it, by all that it saved.

        Return in words what is not as it was, for the agent; empty for nothing. Raises FinalError for what
        is damaged, SwarmError for what is gone.
        """
        archive, lacking = self.node / "delta.tar.gz", set[str]()
        for delta in deltas:
            await self.context.artifacts.get_file(delta, archive)
            await to_its_end(lambda: lacking.update(read_delta(archive, self.root)))
        if deltas:
            self._known = await asyncio.to_thread(baseline, self.root)
        still = [path for path in lacking if path not in self._known.entries]
        return incomplete(still)

    async def finish(self, task: QueuedTask) -> tuple[ArtifactRef, ...]:
        """Store what the agent hands in: of a repository its change, as patch and branch; else its files."""
        if self.worktree is not None:
            return await hand_in_change(self.worktree, task, self.context)
        handed = await hand_in_files(self.root, self.node, self.context)
        self.left_behind = handed.left_behind
        return handed.artifacts


async def open_workspace(task: QueuedTask, context: Context) -> Workspace:
    """Make the workspace of an attempt: a work tree of the task's repository, or an empty folder.

    Raises FinalError or RetryableError for a repository that cannot be had.
    """
    job = (await context.workspace()).resolve()
    for name in ("node", "home", "tmp"):
        await asyncio.to_thread((job / name).mkdir, mode=0o700)
    reference = task.task.repository
    if reference is None:
        root = job / "work"
        await asyncio.to_thread(root.mkdir, mode=0o700)
        return Workspace(root, None, context)
    made = await make_worktree(await context.checkout(reference), job / "node", reference.place)
    root = job / "work"
    await asyncio.to_thread(made.tree.rename, root)
    opened = Workspace(root, replace(made, tree=root), context)
    opened._known = await asyncio.to_thread(baseline, root)
    return opened
