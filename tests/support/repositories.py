"""Repositories for tests, made on the spot, and a context to review them in."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from picoclaw.capabilities.analyzers.review import ReviewExecutor
from picoclaw.capabilities.executor import Artifacts
from picoclaw.capabilities.findings import Finding, Review, ToolRun
from picoclaw.capabilities.local_artifacts import LocalArtifacts
from picoclaw.capabilities.repository.checkout import checkout
from picoclaw.capabilities.repository.reference import refer
from picoclaw.swarm.records import QueuedTask, RepositoryRef, Task


def make_repository(folder: Path, files: Mapping[str, str | bytes], *, git: bool = False) -> Path:
    """Write the files below a folder; with `git`, commit them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    if git:
        run_git(folder, "init", "--quiet")
        run_git(folder, "add", "--all")
        run_git(folder, "commit", "--quiet", "--message", "all")
    return folder


IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
"""A home that several tests share has no configuration of git."""


def run_git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed."""
    done = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()


@dataclass
class FolderContext:
    """A job's context without a node: artifacts, cache and workspace are folders."""

    folder: Path
    attempt: int = 1
    said: list[str] = field(default_factory=list)

    @property
    def artifacts(self) -> Artifacts:
        """Where bodies lie."""
        return LocalArtifacts(self.folder / "artifacts")

    async def progress(self, message: str, *, fraction: float | None = None) -> None:
        """Remember what was said."""
        self.said.append(message)

    async def workspace(self) -> Path:
        """Return an empty folder."""
        path = self.folder / "workspace" / os.urandom(4).hex()
        path.mkdir(parents=True)
        return path

    async def checkout(self, repository: RepositoryRef) -> Path:
        """Return the files of a repository."""
        return await checkout(repository, self.artifacts, self.folder / "cache")


def queued_review(repository: RepositoryRef | None, demand: str) -> QueuedTask:
    """Return a task that asks for a review."""
    task = Task(step="review", demand=demand, repository=repository)
    return QueuedTask(request="r-aaaaaaaaaaaaaaaa", task=task, priority=1, queued_seq=1)


async def review_folder(
    folder: Path, area: str, context: FolderContext, executor: ReviewExecutor | None = None
) -> Review:
    """Send a folder the way a user's repository goes, and return its review in one area."""
    referred = await refer(str(folder), context.artifacts)
    result = await (executor or ReviewExecutor()).execute(queued_review(referred.repository, area), context)
    return Review.model_validate(result.data)


def tool(review: Review, name: str) -> ToolRun:
    """Return how one tool's run ended."""
    return next(run for run in review.tools if run.tool == name)


def found(review: Review, rule: str) -> list[Finding]:
    """Return the findings of one rule."""
    return [finding for finding in review.findings if finding.rule == rule]
