"""`picoclaw cancel ID`: end a request or task."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, SwarmTimeout, UsageError
from .asked import sender
from .complete import REQUEST
from .flags import connection_flags, load_settings
from .output import echo, safe

if TYPE_CHECKING:
    from ..swarm.swarm import Swarm

WHY = "cancelled by a person"
EPILOG = """\b
Examples:
  picoclaw cancel r-k3pq
  picoclaw cancel r-k3pq.security --why "not needed"
  picoclaw cancel r-k3pq --no-wait

\b
Exit codes: 0 it has ended (or had ended before), 1 it had not ended in time
(the cancellation stands), 2 wrong usage or no such id, 3 no connection.
"""


@click.command(epilog=EPILOG)
@click.argument("id", type=REQUEST)
@click.option("--why", default="", metavar="TEXT", help="The reason, for its history.")
@click.option("--no-wait", is_flag=True, help="Do not wait until its tasks have ended.")
@click.option(
    "--timeout", default="30s", show_default=True, metavar="DURATION", help="How long to wait for its end."
)
@connection_flags
@click.pass_context
def cancel(ctx: click.Context, id: str, why: str, no_wait: bool, timeout: str) -> int:
    """Cancel a request with all its tasks, or one task.

    ID is the id of a request or task, or a beginning of one that fits no other. What runs is told
    to stop; what ended already stays as it is.
    """
    from ..config.durations import parse_duration

    try:
        limit = parse_duration(timeout)
    except ConfigError as error:
        raise UsageError(f"--timeout: {error}") from None

    async def work(swarm: "Swarm") -> int:
        from ..swarm.cancel import cancel_request, cancel_task
        from ..swarm.resolve import resolve

        found = await resolve(swarm, id)
        reason = why.strip() or WHY
        if found.step is not None:
            ended = await cancel_task(swarm, found.state.id, found.step, why=reason, by=sender())
            echo(
                f"{found.id} was {safe(ended)} already: nothing to cancel"
                if ended
                else f"{found.id} cancelled"
            )
            return 0
        outcome = await cancel_request(swarm, found.state.id, why=reason, by=sender(), text=found.state.asked)
        if outcome.ended:
            echo(f"{found.id} was {outcome.ended} already: nothing to cancel")
            return 0
        if outcome.withdrawn:
            echo(f"{found.id} cancelled: no coordinator had taken it yet")
            return 0
        if no_wait:
            echo(f"{found.id} is being cancelled")
            return 0
        return await _until_ended(swarm, found.id, limit)

    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw cancel")


async def _until_ended(swarm: "Swarm", request: str, limit: timedelta) -> int:
    from ..swarm.look import look_around
    from ..swarm.submission import wait
    from ..swarm.views.waiting import why_request_waits

    try:
        end = await wait(swarm, request, limit=limit)
    except SwarmTimeout:
        head = await swarm.log.request_head(request)
        why = why_request_waits(head, await look_around(swarm)) or "its tasks have not ended yet"
        raise SwarmTimeout(
            f"{request} is being cancelled, but has not ended after {limit.total_seconds():g} s: {why}; the "
            f"cancellation stands, look again with `picoclaw describe request {request}`"
        ) from None
    echo(f"{request} ended {end.head.state}")
    return 0
