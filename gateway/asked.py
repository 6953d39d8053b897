"""What somebody asks of the swarm, checked before a connection is made; the same for every door."""

import getpass
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from ..roles.planning.template import Template
    from ..swarm.records import Broadcast, Limited, RepositoryRef, Request, Retry
    from ..swarm.submission import Unroutable
    from ..swarm.swarm import Swarm

HERE = "."

Tell = Callable[[str], None]
"""Takes one line that the sender should know of, such as a file that looks like a secret."""


def ignore(line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it was asked for."""

    text: str
    demand: str | None = None
    capability: str | None = None
    """What is to be done, by wire name, where the demand says only where."""
    repo: str | None = None
    """A folder or URL; None: nothing goes along."""
    template: str | None = None
    plan: 'Literal["model"] | None' = None
    """`model`: a model plans it, whatever template matches."""
    priority: int = 1
    deadline: timedelta | None = None
    unroutable: "Unroutable | None" = None
    key: str | None = None
    input: "Mapping[str, JsonValue]" = field(default_factory=dict)
    """What the executor gets beside the text."""
    max_attempts: int | None = None
    task_timeout: timedelta | None = None
    """Longest run of one attempt at a task."""
    task_deadline: timedelta | None = None
    """Longest time of a task, all attempts and pauses together."""
    retry: "Retry | None" = None
    broadcast: "Broadcast | None" = None
    budget: "Limited | None" = None
    """What its agents may spend, with all that they hand on."""
    tell: Tell = ignore

    async def request(self, swarm: "Swarm") -> "Request":
        """Store the repository in the swarm and return the request.

        Raises RepositoryError before anything is sent, UsageError, SwarmError.
        """
        stored = await store_repository(self.repo, swarm, self.tell) if self.repo is not None else None
        return self.request_about(stored)

    def request_about(self, repository: "RepositoryRef | None") -> "Request":
        """Return the request, with its repository as it was stored; raises UsageError."""
        from ..swarm.submission import new_request

        return new_request(
            self.text,
            key=self.key,
            demand=self.demand,
            capability=self.capability,
            input=dict(self.input),
            max_attempts=self.max_attempts,
            task_timeout=self.task_timeout,
            task_deadline=self.task_deadline,
            retry=self.retry,
            broadcast=self.broadcast,
            budget=self.budget,
            repository=repository,
            template=self.template,
            plan=self.plan,
            priority=self.priority,
            deadline=self.deadline,
            unroutable=self.unroutable,
            sender=sender(),
        )


def sender() -> str:
    """Return who asks, for people: `user@host`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without an entry in passwd
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


async def store_repository(repo: str, swarm: "Swarm", tell: Tell) -> "RepositoryRef":
    """Store a folder, or resolve a URL, and tell what its sender should know."""
    from ..capabilities.repository.reference import refer

    referred = await refer(repo, swarm.artifacts)
    for warning in (*referred.warnings, *referred.notes):
        tell(warning)
    return referred.repository


def means_this_folder(text: str, templates: "Iterable[Template]", named: str | None = None) -> bool:
    """Return whether the words alone, or a template that is named, ask for work on a repository."""
    from ..roles.planning.template import asks_for_template

    return any(
        template.match.repository
        and (template.name == named if named is not None else asks_for_template(text, template))
        for template in templates
    )


def check_text(text: str, what: str) -> None:
    """Raise UsageError for text that cannot be carried: the shell passed bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is not valid UTF-8: write it in UTF-8, or set the locale to one") from None


def check_repository(repo: str) -> None:
    """Raise RepositoryError for a folder or URL that cannot be sent."""
    from ..capabilities.repository.snapshot import check_folder
    from ..capabilities.repository.url import check_url, is_url

    if not repo.strip():
        raise UsageError("--repo is empty: name a folder or a git URL, or leave it out for this folder")
    if is_url(repo):
        check_url(repo.partition("#")[0])
    else:
        check_folder(Path(repo))
