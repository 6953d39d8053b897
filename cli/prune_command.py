"""`picoclaw prune`: remove ended requests now."""

from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, UsageError
from .completion.offered import REQUEST
from .flags import connection_flags, load_settings
from .printing.formats import json_flag
from .printing.output import age, echo, echo_json

if TYPE_CHECKING:
    from ..swarm.swarm import Swarm

EPILOG = """\b
Examples:
  picoclaw prune --older-than 2d
  picoclaw prune --older-than 1h --dry-run
  picoclaw prune r-k3pq r-9bmd --json

\b
Exit codes: 0 done (nothing to remove too), 1 failed, 2 wrong usage, no such
request, or one that has not ended (nothing was removed), 3 no connection.
"""


@click.command(epilog=EPILOG, short_help="Remove ended requests now, to have room.")
@click.argument("requests", nargs=-1, type=REQUEST, metavar="[REQUEST]...")
@click.option(
    "--older-than", default=None, metavar="AGE", help="Those that ended longer ago, such as 2d or 90m."
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@json_flag
@connection_flags
@click.pass_context
def prune(
    ctx: click.Context, requests: tuple[str, ...], older_than: str | None, dry_run: bool, as_json: bool
) -> int:
    """Remove ended requests: their log, their results, and what nothing else refers to.

    Without this the swarm removes them by itself after `keep.requests` (see `picoclaw limits`). REQUEST
    is a request's id, a beginning of one that fits no other, or `last`; with --older-than too, only those
    that are both go. What has not ended is never removed. Dead letters stay.

    \b
    --json: an object with removed (a list of objects with id, state and
    ended_s, the seconds since its end), entries (of the log) and artifacts
    (removed with them), dry_run.
    """
    if not requests and older_than is None:
        raise UsageError("prune what? Give --older-than AGE, such as --older-than 2d, or the requests' ids")
    from ..config.durations import parse_duration

    try:
        limit = parse_duration(older_than) if older_than is not None else None
    except ConfigError as error:
        raise UsageError(f"--older-than: {error}") from None

    async def work(swarm: "Swarm") -> int:
        from ..swarm.artifact_expiry import ArtifactExpiry
        from ..swarm.prune import ended_before, oldest_open, read_endings, remove_request, settled
        from ..swarm.resolve import newest, the_one
        from ..swarm.server_time import server_time

        now = await server_time(swarm)
        await swarm.live.read()
        endings = await read_endings(swarm)
        named = [_typed(await newest(swarm, request)) for request in requests]
        going = {the_one(one, endings, "request", hint="see `picoclaw get requests`") for one in named}
        for request in sorted(going):
            if not endings[request].head.terminal:
                raise UsageError(
                    f"{request} has not ended: cancel it first by `picoclaw cancel {request}`; nothing was removed"
                )
        if limit is not None:
            old = ended_before(endings, now=now, age=limit)
            going = going & set(old) if going else set(old)
        ended = {request: endings[request].head for request in await settled(swarm, going)}
        entries = artifacts = 0
        if not dry_run and ended:
            for request in ended:
                entries += await remove_request(swarm, request)
                del endings[request]
            artifacts = await ArtifactExpiry(swarm).sweep(oldest_open=oldest_open(endings))
        if as_json:
            echo_json(
                {
                    "removed": [
                        {"id": request, "state": head.state, "ended_s": round(now - head.at, 3)}
                        for request, head in ended.items()
                    ],
                    "entries": entries,
                    "artifacts": artifacts,
                    "dry_run": dry_run,
                }
            )
            return 0
        for request, head in ended.items():
            verb = "would remove" if dry_run else "removed"
            echo(f"{verb} {request} ({head.state} {age(now - head.at)} ago)")
        if not ended:
            echo("no ended request to remove")
        elif dry_run:
            echo(f"{_count(len(ended), 'request')} to remove")
        else:
            gone = f"{_count(entries, 'log entry', 'log entries')}, {_count(artifacts, 'artifact')}"
            echo(f"{_count(len(ended), 'request')} removed: {gone}")
        return 0

    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw prune")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _typed(text: str) -> str:
    typed = text.strip().lower()
    return typed if typed.startswith("r-") or typed == "r" else f"r-{typed}"
