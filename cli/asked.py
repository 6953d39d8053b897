"""What a command line asks of the swarm, checked before a connection is made."""

import getpass
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, UsageError
from .errors import echo_warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..roles.planning.template import Template
    from ..swarm.records import RepositoryRef, Request
    from ..swarm.submission import Unroutable
    from ..swarm.swarm import Swarm

PRIORITIES = {"low": 0, "normal": 1, "high": 2, "critical": 3}
HERE = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it was asked for."""

    text: str
    demand: str | None = None
    repo: str | None = None
    """A folder or URL; None: nothing goes along."""
    template: str | None = None
    priority: int = 1
    deadline: timedelta | None = None
    unroutable: "Unroutable | None" = None
    key: str | None = None

    async def request(self, swarm: "Swarm") -> "Request":
        """Store the repository in the swarm and return the request.

        Raises RepositoryError before anything is sent, UsageError, SwarmError.
        """
        from ..swarm.submission import new_request

        return new_request(
            self.text,
            key=self.key,
            demand=self.demand,
            repository=await store_repository(self.repo, swarm) if self.repo is not None else None,
            template=self.template,
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


async def store_repository(repo: str, swarm: "Swarm") -> "RepositoryRef":
    """Store a folder, or resolve a URL, and print what its sender should be told."""
    from ..capabilities.repository.reference import refer

    referred = await refer(repo, swarm.artifacts)
    for warning in (*referred.warnings, *referred.notes):
        echo_warning(warning)
    return referred.repository


def read_asked(
    text: str,
    *,
    capability: str | None = None,
    repo: str | None = None,
    template: str | None = None,
    priority: str = "normal",
    timeout: str | None = None,
    unroutable: "Unroutable | None" = None,
    key: str | None = None,
) -> Asked:
    """Return what is asked; a review of "this repository" without `repo` means this folder.

    Raises UsageError, NameRefused, PlanError or RepositoryError; nothing was sent.
    """
    from ..roles.planning.template import shipped_templates
    from ..swarm.demand import parse_demand

    if not text.strip():
        raise UsageError("the request is empty: say what is to be done")
    for what, given in (("the request's text", text), ("--template", template or "")):
        check_text(given, what)
    if key is not None and not key.strip():
        raise UsageError("--key is empty: give each request a key of its own, or leave it out")
    if repo is None and capability is None and means_this_folder(text, shipped_templates()):
        repo = HERE
    if repo is not None:
        check_repository(repo)
    return Asked(
        text=text,
        demand=str(parse_demand(capability)) if capability is not None else None,
        repo=repo,
        template=template,
        priority=read_priority(priority),
        deadline=read_timeout(timeout) if timeout is not None else None,
        unroutable=unroutable,
        key=key,
    )


def check_text(text: str, what: str) -> None:
    """Raise UsageError for text that cannot be carried: the shell passed bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is not valid UTF-8: write it in UTF-8, or set the locale to one") from None


def means_this_folder(text: str, templates: "Sequence[Template]") -> bool:
    """Return whether the words alone ask for a workflow that is about a repository."""
    from ..roles.planning.template import asks_for_template

    return any(template.match.repository and asks_for_template(text, template) for template in templates)


def read_priority(text: str) -> int:
    """Return a priority by name or number; raises UsageError."""
    if text in PRIORITIES:
        return PRIORITIES[text]
    if text in ("0", "1", "2", "3"):
        return int(text)
    raise UsageError(f"--priority {text!r} is none: use low, normal, high or critical (0 to 3)")


def read_timeout(text: str) -> timedelta:
    """Return a time limit above zero; raises UsageError."""
    from ..config.durations import parse_duration

    try:
        limit = parse_duration(text)
    except ConfigError as error:
        raise UsageError(f"--timeout: {error}") from None
    if limit <= timedelta(0):
        raise UsageError("--timeout must be above zero: write for example 10m")
    return limit


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
