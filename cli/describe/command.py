"""`picoclaw describe request|task|node`: everything about one thing, its history and why it waits."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..agents.describe import agent
from ..aliases import AliasGroup
from ..completion.offered import NODE, REQUEST, THING
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag

if TYPE_CHECKING:
    from ...swarm.resolve import Found
    from ...swarm.swarm import Swarm

ALIASES = {
    "requests": "request",
    "req": "request",
    "tasks": "task",
    "nodes": "node",
    "no": "node",
    "agents": "agent",
}

CODES = """\b
Exit codes: 0 done, 1 failed, 2 wrong usage, no such thing or several, 3 no
connection.
"""
EPILOG = f"""\b
Examples:
  picoclaw describe r-k3pq
  picoclaw describe request r-k3pq --json
  picoclaw describe task r-k3pq.security
  picoclaw describe node worker-1
  picoclaw describe agent coder

{CODES}"""


@click.group(
    cls=AliasGroup,
    aliases=ALIASES,
    otherwise="anything",
    epilog=EPILOG,
    subcommand_metavar="[request|task|node|agent] ID",
)
def describe() -> None:
    """Show one request, task or node with its whole history, and why it waits; or an agent.

    Without a kind ID may be the id of a request or task, or the name of a node, or a beginning of
    one that fits nothing else.
    """


describe.add_command(agent)


@describe.command(
    short_help="A request: its tasks, its history, why it waits.",
    epilog=f"""\b
Examples:
  picoclaw describe request r-k3pq
  picoclaw describe request r-k3pq --json

{CODES}""",
)
@click.argument("id", type=REQUEST)
@json_flag
@connection_flags
@click.pass_context
def request(ctx: click.Context, id: str, as_json: bool) -> int:
    """Show a request: its tasks, its history, and why it waits.

    ID is an id such as r-k3pq…, a beginning of one that fits no other, or `last`. A task's id shows it.

    \b
    --json: an object with request (as `get requests --json`), planned (null
    before there is a plan; by: request, template, model, or direct, which is one
    task because no plan would do; note says why), tasks (as `get tasks --json`),
    history: objects with at, seq, step (empty: the request),
    what, attempt, node, by, reason; spent by its agents with all that they
    handed on (turns, tokens, usd or null for an unknown price, unpriced_turns,
    maybe_billed_turns; null: no model was asked), budget, shared (keys of its
    blackboard), handed_on (ids) and parent (a task's id or null).
    """

    async def work(swarm: "Swarm") -> int:
        from ...swarm.resolve import resolve

        await _show(swarm, await resolve(swarm, id), as_json)
        return 0

    return _session(ctx, work)


@describe.command(
    short_help="A task: its history, its place in the lane, why it waits.",
    epilog=f"""\b
Examples:
  picoclaw describe task r-k3pq.security
  picoclaw describe task r-k3pq.s --json

{CODES}""",
)
@click.argument("id", type=REQUEST)
@json_flag
@connection_flags
@click.pass_context
def task(ctx: click.Context, id: str, as_json: bool) -> int:
    """Show a task: its history, its place in the lane, why it waits, and which nodes come near.

    ID is an id such as r-k3pq….security; its request may be shortened as long as it fits no other,
    and the step left out where there is only one.

    \b
    --json: an object with task (as `get tasks --json`), after (upstream steps),
    lane (position, waiting, in_flight; null unless it is queued), max_attempts,
    timeout_s, unroutable (the policy), not_before, nodes (while it waits: node,
    status, free, slots, lacks), history and spent as for a request.
    """

    async def work(swarm: "Swarm") -> int:
        from ...errors import UsageError
        from ...swarm.resolve import resolve

        found = await resolve(swarm, id)
        steps = list(found.state.tasks())
        if found.step is None and len(steps) == 1:
            found = replace(found, step=steps[0])
        if found.step is None:
            named = ", ".join(steps[:5]) or "none yet"
            raise UsageError(
                f"{found.id} is a request, and a task's id is {found.id}.STEP (its steps: {named}); "
                f"`picoclaw describe request {found.id}` shows the request"
            )
        await _show(swarm, found, as_json)
        return 0

    return _session(ctx, work)


@describe.command(
    short_help="A node: what it offers, what it holds, what it ended.",
    epilog=f"""\b
Examples:
  picoclaw describe node worker-1
  picoclaw describe node worker-1 --json

{CODES}""",
)
@click.argument("name", type=NODE)
@json_flag
@connection_flags
@click.pass_context
def node(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show a node: what it offers, what it holds, what it ended, and why it is not online.

    \b
    --json: as one object of `get nodes --json`, and completed (tasks done),
    ended (tasks that ended on it), recent (the last ten: id, state, at, said).
    """

    async def work(swarm: "Swarm") -> int:
        from ...swarm.look import look_around
        from ...swarm.resolve import the_one
        from .node import describe_node

        around = await look_around(swarm)
        nodes = {row.name: row for row in around.nodes}
        row = nodes[the_one(name, nodes, "node", hint="see `picoclaw get nodes`")]
        await describe_node(swarm, row, around, as_json)
        return 0

    return _session(ctx, work)


@describe.command(hidden=True)
@click.argument("id", type=THING)
@json_flag
@connection_flags
@click.pass_context
def anything(ctx: click.Context, id: str, as_json: bool) -> int:
    """Show whatever ID names: a request, a task or a node."""

    async def work(swarm: "Swarm") -> int:
        from ...swarm.look import look_around
        from ...swarm.resolve import Found, resolve_any
        from .node import describe_node

        around = await look_around(swarm)
        found = await resolve_any(swarm, id, [row.name for row in around.nodes])
        if isinstance(found, Found):
            await _show(swarm, found, as_json)
        else:
            row = next(row for row in around.nodes if row.name == found)
            await describe_node(swarm, row, around, as_json)
        return 0

    return _session(ctx, work)


async def _show(swarm: "Swarm", found: "Found", as_json: bool) -> None:
    from ...swarm.look import look_around

    around = await look_around(swarm)
    if found.step is None:
        from .request import describe_request

        await describe_request(swarm, found.state, around, as_json)
    else:
        from .task import describe_task

        await describe_task(swarm, found, around, as_json)


def _session(ctx: click.Context, work: Any) -> int:
    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw describe")
