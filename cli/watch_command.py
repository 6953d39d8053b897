"""`picoclaw watch ID`: follow a request or task to its end, from whatever terminal."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from .completion.offered import REQUEST
from .flags import connection_flags, load_settings
from .printing.output import echo_line, safe

if TYPE_CHECKING:
    from ..config.load import Loaded
    from ..swarm.resolve import Found
    from ..swarm.submission import Event
    from ..swarm.swarm import Swarm
    from ..swarm.views.nodes import Around

EPILOG = """\b
Examples:
  picoclaw watch r-k3pq
  picoclaw watch r-k3pq.security
  picoclaw watch r-k3pq --json | jq -r .what

\b
Exit codes: 0 done, 1 failed, dead or cancelled, 2 wrong usage or no such id,
3 no connection, 130 Ctrl-C (it goes on; watch it again whenever you like).
"""


@click.command(epilog=EPILOG)
@click.argument("id", type=REQUEST)
@click.option("--json", "as_json", is_flag=True, help="Print each event as one JSON object per line.")
@connection_flags
@click.pass_context
def watch(ctx: click.Context, id: str, as_json: bool) -> int:
    """Follow a request or task to its end: what has happened so far, then what happens.

    ID is the id of a request or task, a beginning that fits no other, or `last`. Events go to stderr
    with the time since the request came in, what it brought to stdout, as `picoclaw dispatch` does. Progress
    and the words of agents are shown from now on only: they are not kept, their results are.

    \b
    --json: one object per line. event is log (at, seq, step, what, attempt, node,
    by, reason, as in `describe --json`), progress (at, step, node, message,
    fraction), said (at, step, node, text: a piece of an agent's answer as it
    comes), or end: as `picoclaw result --json` prints it.
    """
    from .session import quiet_logs

    loaded = load_settings(ctx)
    quiet_logs(loaded)
    return asyncio.run(_watch(loaded, id, as_json))


async def _watch(loaded: "Loaded", id: str, as_json: bool) -> int:
    from ..swarm.resolve import resolve
    from .dispatch_command import say_how_to_come_back
    from .printing.progress import spinning
    from .session import open_session

    async with spinning("waiting for the swarm"), open_session(loaded, name="picoclaw watch") as swarm:
        found = await resolve(swarm, id)
        try:
            if as_json:
                return await _as_lines(swarm, found)
            return await _live(swarm, found)
        except asyncio.CancelledError:
            say_how_to_come_back(found.id)
            raise


async def _live(swarm: "Swarm", found: "Found") -> int:
    from ..swarm.background import background
    from ..swarm.look import look_around
    from ..swarm.submission import Ended
    from .approvals.questions import Questions
    from .dispatch_command import print_end
    from .printing.live import LiveLines
    from .result.command import show_result
    from .result.next_steps import spent_and_left

    around = await look_around(swarm)
    lines = LiveLines()
    lines.catch_up(found.state.created_at, around.now)
    lines.say(f"request {found.state.id}: {safe(found.state.asked, 100)}", at=found.state.created_at)
    if not _over(found):
        for why in _why_it_waits(found, around):
            lines.say(why)
    lines.questions_told = True
    async with background() as tasks:
        questions = Questions(swarm, found.state.id, lines)
        tasks.start(questions.run(), name="questions")
        async for event in _events(swarm, found):
            if not isinstance(event, Ended):
                lines.show(event)
            elif found.step is None:
                code = print_end(event, found.id, as_json=False)
                for line in await spent_and_left(swarm, event, found.id):
                    lines.say(line)
                return code
    return await show_result(swarm, await _again(swarm, found), as_json=False)


def _why_it_waits(found: "Found", around: "Around") -> list[str]:
    from ..swarm.views.requests import task_rows
    from ..swarm.views.waiting import why_request_waits

    stuck = why_request_waits(found.state.head, around, found.state.due_at)
    rows = (row for row in task_rows(found.state, around) if found.step in (None, row.step))
    tasks = [safe(f"{row.step:<10} {row.reason}") for row in rows if row.status == "unroutable"]
    return [safe(stuck), *tasks] if stuck else tasks


async def _as_lines(swarm: "Swarm", found: "Found") -> int:
    from ..swarm.server_time import server_time
    from ..swarm.subjects import REQUEST_STEP
    from ..swarm.submission import Ended, LogEvent, Said
    from ..swarm.views.history import history_row
    from .printing.forms import history_json
    from .printing.output import iso
    from .result.command import read_result

    await server_time(swarm)
    async for event in _events(swarm, found):
        if isinstance(event, Ended):
            break
        if isinstance(event, LogEvent):
            step = "" if event.step == REQUEST_STEP else event.step
            row = history_row(event.entry, seq=event.seq, at=event.at, step=step)
            echo_line({"event": "log", **history_json(row)})
        elif isinstance(event, Said):
            said = {"at": iso(swarm.members.server.now()), "step": event.step, "node": event.node}
            echo_line({"event": "said", **said, "text": event.text})
        else:
            echo_line(
                {
                    "event": "progress",
                    "at": iso(swarm.members.server.now()),
                    "step": event.step,
                    "node": event.node,
                    "message": event.message,
                    "fraction": event.fraction,
                }
            )
    brought, code = await read_result(swarm, await _again(swarm, found))
    echo_line({"event": "end", **brought})
    return code


async def _events(swarm: "Swarm", found: "Found") -> AsyncIterator["Event"]:
    """Yield what concerns the request or task, up to its end."""
    from ..errors import SwarmError
    from ..swarm.fold import TaskHead, fold_task
    from ..swarm.submission import Ended, LogEvent
    from ..swarm.submission import watch as follow

    head = TaskHead()
    async for event in follow(swarm, found.state.id):
        if isinstance(event, Ended):
            yield event
            return
        if found.step is None:
            yield event
        elif event.step == found.step:
            yield event
            if isinstance(event, LogEvent):
                head = fold_task(head, event.entry, event.seq, event.at)
                if head.terminal:
                    return
    raise SwarmError(f"{found.id} can no longer be watched: look with `picoclaw describe {found.id}`")


def _over(found: "Found") -> bool:
    if found.state.head.terminal or found.step is None:
        return found.state.head.terminal
    head = found.state.heads.get(found.step)
    return head is not None and head.terminal


async def _again(swarm: "Swarm", found: "Found") -> "Found":
    """Read it anew, now that it has ended."""
    from ..swarm.resolve import resolve

    return await resolve(swarm, found.id)
