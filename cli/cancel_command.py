"""`picoclaw cancel ID`: end a request or task."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, SwarmTimeout, UsageError
from ..gateway.asked import sender
from .completion.offered import REQUEST
from .flags import connection_flags, load_settings
from .printing.formats import json_flag
from .printing.output import echo, echo_json, safe

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
@json_flag
@connection_flags
@click.pass_context
def cancel(ctx: click.Context, id: str, why: str, no_wait: bool, timeout: str, as_json: bool) -> int:
    """Cancel a request with all its tasks, or one task.

    ID is the id of a request or task, or a beginning of one that fits no other. What runs is told
    to stop; what ended already stays as it is.

    \b
    --json: an object with id, state (cancelled, or how it had ended before, or
    cancelling with --no-wait) and changed (false: it had ended already).
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

        def tell(state: str, words: str, *, changed: bool = True) -> int:
            if as_json:
                echo_json({"id": found.id, "state": state, "changed": changed})
            else:
                echo(f"{found.id} {words}")
            return 0

        if found.step is not None:
            ended = await cancel_task(swarm, found.state.id, found.step, why=reason, by=sender())
            if ended:
                return tell(ended, f"was {safe(ended)} already: nothing to cancel", changed=False)
            return tell("cancelled", "cancelled")
        outcome = await cancel_request(swarm, found.state.id, why=reason, by=sender(), text=found.state.asked)
        if outcome.ended:
            return tell(outcome.ended, f"was {outcome.ended} already: nothing to cancel", changed=False)
        if outcome.withdrawn:
            return tell("cancelled", "cancelled: no coordinator had taken it yet")
        if no_wait:
            return tell("cancelling", "is being cancelled")
        state = await _until_ended(swarm, found.id, limit)
        return tell(state, f"ended {state}")

    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw cancel")


async def _until_ended(swarm: "Swarm", request: str, limit: timedelta) -> str:
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
    return str(end.head.state)
