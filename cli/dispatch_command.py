"""`picoclaw dispatch`: hand a request to the swarm, and wait for its end unless told otherwise."""

import asyncio
import getpass
import json
import socket
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .flags import connection_flags, load_settings

if TYPE_CHECKING:
    from ..config.load import Loaded
    from ..swarm.records import Request
    from ..swarm.submission import Ended
    from ..swarm.swarm import Swarm
    from .live import LiveLines

PRIORITIES = {"low": 0, "normal": 1, "high": 2, "critical": 3}

EXAMPLES = """\b
Examples:
  picoclaw dispatch "Review this repository" --repo .
  picoclaw dispatch "Look for secrets" --capability security --repo . --detach
  picoclaw dispatch "Check the docs" --capability docs --repo . --priority high --timeout 5m

\b
Exit codes: 0 done, 1 failed or cancelled, 2 wrong usage, 3 no connection, 130 Ctrl-C
(the request goes on; `picoclaw result ID` comes back to it).
"""


@click.command(epilog=EXAMPLES)
@click.argument("text")
@click.option("--capability", "-c", metavar="NAME", help="One task for this capability; no planning.")
@click.option("--repo", metavar="DIR|URL", help="The repository that it is about.")
@click.option("--template", metavar="NAME", help="The workflow template to follow.")
@click.option(
    "--priority", "-p", default="normal", show_default=True, help="low, normal, high, critical (0-3)."
)
@click.option("--timeout", metavar="TIME", help="The request ends failed after this time.")
@click.option(
    "--unroutable",
    type=click.Choice(["wait", "fail", "skip", "local"]),
    help="What to do while no node serves a task.",
)
@click.option("--key", metavar="KEY", help="Idempotency key: sending twice is sending once.")
@click.option("--detach", is_flag=True, help="Print the request's id and do not wait.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@connection_flags
@click.pass_context
def dispatch(
    ctx: click.Context,
    text: str,
    capability: str | None,
    repo: str | None,
    template: str | None,
    priority: str,
    timeout: str | None,
    unroutable: str | None,
    key: str | None,
    detach: bool,
    as_json: bool,
) -> int:
    """Send a request or task to the swarm and follow it to its end."""
    loaded = load_settings(ctx)
    if capability and template:
        raise UsageError(
            "--capability and --template do not go together: a template has its own capabilities"
        )
    asked = Asked(text, capability, repo, template, priority, timeout, unroutable, key)
    return asyncio.run(_dispatch(loaded, asked, detach=detach, as_json=as_json))


class Asked:
    """What the command line asks for, checked before anything is sent."""

    def __init__(
        self,
        text: str,
        capability: str | None,
        repo: str | None,
        template: str | None,
        priority: str,
        timeout: str | None,
        unroutable: str | None,
        key: str | None,
    ) -> None:
        from ..config.durations import parse_duration
        from ..errors import ConfigError
        from ..swarm.demand import parse_demand

        if not text.strip():
            raise UsageError("the request is empty: say what is to be done")
        self.text = text
        self.demand = str(parse_demand(capability)) if capability is not None else None
        self.repo = repo
        self.template = template
        self.priority = read_priority(priority)
        try:
            self.deadline: timedelta | None = parse_duration(timeout) if timeout else None
        except ConfigError as error:
            raise UsageError(f"--timeout: {error}") from None
        self.unroutable = unroutable
        self.key = key
        if repo is not None:
            _check_repository(repo)

    async def request(self, swarm: "Swarm") -> "Request":
        """Return the request, its repository stored."""
        from ..capabilities.repository.reference import refer
        from ..swarm.submission import new_request

        reference = None
        if self.repo is not None:
            referred = await refer(self.repo, swarm.artifacts)
            for warning in referred.warnings:
                click.echo(f"picoclaw: warning: {warning}", err=True)
            reference = referred.repository
        return new_request(
            self.text,
            key=self.key,
            demand=self.demand,
            repository=reference,
            template=self.template,
            priority=self.priority,
            deadline=self.deadline,
            unroutable=self.unroutable,  # type: ignore[arg-type]  # click.Choice holds it to these
            sender=f"{getpass.getuser()}@{socket.gethostname()}",
        )


def read_priority(text: str) -> int:
    """Return a priority by name or number; raises UsageError."""
    if text in PRIORITIES:
        return PRIORITIES[text]
    if text in ("0", "1", "2", "3"):
        return int(text)
    raise UsageError(f"--priority {text!r} is none: use low, normal, high or critical (0 to 3)")


def _check_repository(repo: str) -> None:
    """Raise RepositoryError for a folder that cannot be sent, before a connection is made."""
    from pathlib import Path

    from ..capabilities.repository.snapshot import check_folder
    from ..capabilities.repository.url import check_url, is_url

    if is_url(repo):
        check_url(repo.partition("#")[0])
    else:
        check_folder(Path(repo))


async def _dispatch(loaded: "Loaded", asked: Asked, *, detach: bool, as_json: bool) -> int:
    from ..swarm.submission import submit
    from .live import LiveLines
    from .session import open_session

    async with open_session(loaded, make=True) as swarm:
        await swarm.read_members()
        request = await asked.request(swarm)
        new = await submit(swarm, request)
        if detach:
            click.echo(json.dumps({"request": request.id, "new": new}) if as_json else request.id)
            return 0
        lines = LiveLines(quiet=as_json)
        lines.say(f"request {request.id}" + ("" if new else " (sent before: following it)"))
        if not swarm.members.coordinators():
            lines.say(
                "no coordinator is alive: it waits in the inbox; start one with --swarm.role coordinator"
            )
        ended = await follow(swarm, request.id, lines)
        return print_end(ended, request.id, as_json=as_json)


async def follow(swarm: "Swarm", request_id: str, lines: "LiveLines", *, stays: bool = True) -> "Ended":
    """Show a request's events until its end.

    Ctrl-C leaves it running where the swarm `stays`, and says how to come back to it.
    """
    from ..errors import SwarmError
    from ..swarm.submission import Ended, watch

    try:
        async for event in watch(swarm, request_id):
            if isinstance(event, Ended):
                return event
            lines.show(event)
    except asyncio.CancelledError:
        if not stays:
            click.echo("\nstopped: the local swarm and the request with it are gone", err=True)
            raise
        click.echo(
            f"\n{request_id} goes on; come back with `picoclaw result {request_id}`, "
            f"end it with `picoclaw cancel {request_id}`",
            err=True,
        )
        raise
    raise SwarmError(
        f"{request_id} can no longer be watched: look with `picoclaw describe request {request_id}`"
    )


def print_end(ended: "Ended", request_id: str, *, as_json: bool) -> int:
    """Print a request's report and return the exit code."""
    head, data = ended.head, ended.result.data if ended.result is not None else None
    report = data if isinstance(data, dict) else {}
    if as_json:
        click.echo(
            json.dumps(
                {
                    "request": request_id,
                    "state": head.state,
                    "partial": head.partial,
                    "reason": head.reason,
                    "report": report.get("data"),
                },
                indent=2,
            )
        )
    else:
        if report.get("markdown"):
            click.echo(str(report["markdown"]))
        if head.state != "done":
            click.echo(f"picoclaw: {request_id} {head.state}: {head.reason}", err=True)
    sys.stdout.flush()
    return 0 if head.state == "done" else 1
