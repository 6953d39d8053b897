"""`picoclaw retry ID`: do again what did not finish of a request, or one of its tasks."""

import json
from typing import TYPE_CHECKING

import click

from ..gateway.asked import sender
from .completion.offered import REQUEST
from .flags import connection_flags, load_settings
from .printing.output import echo, safe

if TYPE_CHECKING:
    from ..swarm.retry import Retry
    from ..swarm.swarm import Swarm

SHOWN = 5
"""Steps that are named."""

EPILOG = """\b
Examples:
  picoclaw retry r-k3pq
  picoclaw retry r-k3pq.security --detach
  picoclaw retry last --json

\b
Exit codes: 0 done, 1 failed or cancelled, 2 wrong usage: no such id, it still
runs, or all of it is done; 3 no connection, 130 Ctrl-C (the request goes on).
"""


@click.command(epilog=EPILOG)
@click.argument("id", type=REQUEST)
@click.option("--detach", is_flag=True, help="Print the new request's id and do not wait.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@connection_flags
@click.pass_context
def retry(ctx: click.Context, id: str, detach: bool, as_json: bool) -> int:
    """Run again what did not finish of a request that has ended, as a new request.

    It has the same plan; what was done is carried over and does not run again. With the id of a
    task that task runs again, and what waits for it. To retry twice at once makes one request; to
    retry what was retried before goes on from there.

    \b
    --json, without --detach: as `picoclaw dispatch --json`. With --detach:
    request, new (false: it was being retried already), retries (the request
    whose tasks run again) and steps (those).
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.resolve import resolve
        from ..swarm.retry import retry_request
        from .dispatch_command import follow, print_end
        from .printing.live import LiveLines

        found = await resolve(swarm, id)
        steps = () if found.step is None else (found.step,)
        made = await retry_request(swarm, found.state, steps, sender=sender())
        if detach:
            told = {"request": made.request, "new": made.new, "retries": made.retries, "steps": made.steps}
            echo(json.dumps(told) if as_json else made.request)
            return 0
        lines = LiveLines(quiet=as_json)
        lines.say(f"request {made.request}" + ("" if made.new else " (was being retried: following it)"))
        lines.say(f"retries {made.retries}: {_again(made)}")
        return print_end(await follow(swarm, made.request, lines), made.request, as_json=as_json)

    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw retry")


def _again(made: "Retry") -> str:
    if not made.steps:
        return "it had no plan, and is planned anew"
    more = f" and {len(made.steps) - SHOWN} more" if len(made.steps) > SHOWN else ""
    verb = "runs" if len(made.steps) == 1 else "run"
    return f"{safe(', '.join(made.steps[:SHOWN]), 400)}{more} {verb} again"
