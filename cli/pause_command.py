"""`picoclaw pause ID` and `picoclaw resume ID`: hold the agents of a request between two steps, and let them go on."""

from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..gateway.asked import sender
from .completion.offered import REQUEST
from .flags import connection_flags, load_settings
from .printing.formats import json_flag
from .printing.output import echo, echo_json, safe

if TYPE_CHECKING:
    from ..swarm.swarm import Swarm

PAUSE_EPILOG = """\b
Examples:
  picoclaw pause r-k3pq
  picoclaw pause r-k3pq --why "the price list is wrong"

\b
Exit codes: 0 it is paused (or was before), 1 failed, 2 wrong usage, no such
request, or one that has ended, 3 no connection.
"""
RESUME_EPILOG = """\b
Examples:
  picoclaw resume r-k3pq

\b
Exit codes: 0 it goes on (or was not paused), 1 failed, 2 wrong usage or no
such request, 3 no connection.
"""


@click.command(epilog=PAUSE_EPILOG)
@click.argument("id", type=REQUEST)
@click.option("--why", default="", metavar="TEXT", help="The reason, for whoever watches.")
@json_flag
@connection_flags
@click.pass_context
def pause(ctx: click.Context, id: str, why: str, as_json: bool) -> int:
    """Hold the agents of a request before their next step.

    The turn or tool that is under way ends first; a paused agent holds no slot, and its pause outlives
    every process. Agents to which the request handed work on wait too. Commands, functions and analyzers
    of the request go on. The time-outs and deadlines of its tasks go on too. ID is the id of a request, a beginning that fits no other, or `last`.

    \b
    --json: an object with id, state (paused) and changed (false: it was
    paused already).
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.pause import PauseRecord, pause_request
        from ..swarm.server_time import server_time

        request, ended = await _request(swarm, id)
        if ended:
            raise UsageError(f"{request} was {safe(ended)} already: there is nothing to pause")
        record = PauseRecord(request=request, by=sender(), why=why.strip(), since=await server_time(swarm))
        changed = await pause_request(swarm, record)
        words = "is paused" if changed else "was paused already"
        return _tell(
            request, "paused", f"{words}; `picoclaw resume {request}` lets it go on", changed, as_json
        )

    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw pause")


@click.command(epilog=RESUME_EPILOG)
@click.argument("id", type=REQUEST)
@json_flag
@connection_flags
@click.pass_context
def resume(ctx: click.Context, id: str, as_json: bool) -> int:
    """Let the agents of a paused request go on.

    ID is the id of a request, a beginning that fits no other, or `last`.

    \b
    --json: an object with id, state (resumed) and changed (false: it was not
    paused).
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.pause import resume_request

        request, _ = await _request(swarm, id)
        changed = await resume_request(swarm, request)
        words = "goes on" if changed else "was not paused: nothing to do"
        return _tell(request, "resumed", words, changed, as_json)

    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw resume")


async def _request(swarm: "Swarm", typed: str) -> tuple[str, str]:
    """Return a request's id, and how it ended; empty: it has not."""
    from ..swarm.resolve import resolve

    found = await resolve(swarm, typed)
    if found.step is not None:
        raise UsageError(f"{found.id} is a task: give its request, {found.state.id}")
    head = found.state.head
    return found.state.id, str(head.state) if head.terminal else ""


def _tell(request: str, state: str, words: str, changed: bool, as_json: bool) -> int:
    if as_json:
        echo_json({"id": request, "state": state, "changed": changed})
    else:
        echo(f"{request} {words}")
    return 0
