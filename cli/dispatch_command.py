"""`picoclaw dispatch`: hand a request to the swarm, and wait for its end unless told otherwise."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .flags import connection_flags, load_settings
from .output import safe

if TYPE_CHECKING:
    from ..config.load import Loaded
    from ..swarm.records import Plan
    from ..swarm.submission import Ended, Unroutable
    from ..swarm.swarm import Swarm
    from .asked import Asked
    from .live import LiveLines

EXAMPLES = """\b
Examples:
  picoclaw dispatch "Review this repository"
  picoclaw dispatch "Look for secrets" --capability security --repo . --detach
  picoclaw dispatch "Check the docs" -c docs --repo . -p high --timeout 5m

\b
Exit codes: 0 done, 1 failed or cancelled, 2 wrong usage, 3 no connection,
130 Ctrl-C (the request goes on; `picoclaw result ID` comes back to it).
"""


@click.command(epilog=EXAMPLES)
@click.argument("text")
@click.option("--capability", "-c", metavar="NAME", help="One task for this capability; no planning.")
@click.option(
    "--repo", metavar="DIR|URL", help="The repository that it is about. [a review's default: this folder]"
)
@click.option("--template", metavar="NAME", help="The workflow template to follow.")
@click.option(
    "--priority", "-p", default="normal", show_default=True, help="low, normal, high, critical (0-3)."
)
@click.option("--timeout", metavar="DURATION", help="The request ends failed after this time.")
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
    unroutable: "Unroutable | None",
    key: str | None,
    detach: bool,
    as_json: bool,
) -> int:
    """Send a request or task to the swarm and follow it to its end."""
    from .asked import read_asked
    from .session import quiet_logs

    loaded = load_settings(ctx)
    if capability and template:
        raise UsageError(
            "--capability and --template do not go together: a template has its own capabilities"
        )
    asked = read_asked(
        text,
        capability=capability,
        repo=repo,
        template=template,
        priority=priority,
        timeout=timeout,
        unroutable=unroutable,
        key=key,
    )
    quiet_logs(loaded)
    return asyncio.run(_dispatch(loaded, asked, detach=detach, as_json=as_json))


async def _dispatch(loaded: "Loaded", asked: "Asked", *, detach: bool, as_json: bool) -> int:
    from ..swarm.submission import submit
    from .asked import HERE
    from .live import LiveLines
    from .session import open_session

    async with open_session(loaded) as swarm:
        await swarm.read_members()
        lines = LiveLines(quiet=as_json or detach)
        if asked.repo is not None:
            lines.say(f"sending {safe(asked.repo) if asked.repo != HERE else 'this folder'}")
        request = await asked.request(swarm)
        new = await submit(swarm, request)
        if detach:
            click.echo(json.dumps({"request": request.id, "new": new}) if as_json else request.id)
            return 0
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
    from ..swarm.entries import Planned
    from ..swarm.submission import Ended, LogEvent, watch

    try:
        async for event in watch(swarm, request_id):
            if isinstance(event, Ended):
                return event
            lines.show(event)
            if isinstance(event, LogEvent) and isinstance(event.entry, Planned) and not lines.quiet:
                await _say_what_is_missing(swarm, event.entry.plan, lines)
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


async def _say_what_is_missing(swarm: "Swarm", plan: "Plan | None", lines: "LiveLines") -> None:
    """Name the demands that nobody serves now: their tasks wait, and would else do so in silence."""
    from ..swarm.demand import parse_demand
    from ..swarm.unroutable import why_unroutable

    await swarm.read_members()
    for text in dict.fromkeys(task.demand for task in plan.tasks) if plan is not None else ():
        demand = parse_demand(text)
        if not swarm.members.slots_for(demand):
            offers = [member.offer for member in swarm.members.living()]
            lines.say(safe(why_unroutable(demand, offers)))


def print_end(ended: "Ended", request_id: str, *, as_json: bool) -> int:
    """Print a request's report and return the exit code."""
    from .output import echo, safe_lines

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
            echo(safe_lines(str(report["markdown"])))
        if head.state != "done":
            click.echo(f"picoclaw: {request_id} {head.state}: {head.reason}", err=True)
    sys.stdout.flush()
    return 0 if head.state == "done" else 1
