"""`picoclaw result ID`: what a request or task brought."""

from typing import TYPE_CHECKING, Any

import click

from .complete import REQUEST
from .flags import connection_flags, load_settings
from .formats import json_flag
from .output import echo, echo_json, safe, safe_lines

if TYPE_CHECKING:
    from ..swarm.entries import Entry
    from ..swarm.records import Result
    from ..swarm.resolve import Found
    from ..swarm.swarm import Swarm

NOT_FINISHED = 4

EPILOG = """\b
Examples:
  picoclaw result r-k3pq
  picoclaw result r-k3pq.security
  picoclaw result r-k3pq --json

\b
Exit codes: 0 done, 1 failed, dead or cancelled, 2 wrong usage or no such id,
3 no connection, 4 not finished yet.
"""


@click.command(epilog=EPILOG)
@click.argument("id", type=REQUEST)
@json_flag
@connection_flags
@click.pass_context
def result(ctx: click.Context, id: str, as_json: bool) -> int:
    """Print what a request or task brought: a request's report in Markdown, a task's summary and data.

    ID is the id of a request or task, or a beginning of one that fits no other.

    \b
    --json of a request, as of `picoclaw dispatch --json`: an object with request,
    state, partial, reason, report (null where there is none).
    --json of a task: task, state, reason, summary, data, artifacts.
    """

    async def work(swarm: "Swarm") -> int:
        from ..swarm.resolve import resolve

        return await show_result(swarm, await resolve(swarm, id), as_json)

    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw result")


async def show_result(swarm: "Swarm", found: "Found", as_json: bool) -> int:
    """Print what a request or task brought and return the exit code; 4: it has not finished yet."""
    state, reason, brought = await _read(swarm, found)
    code = _code(state)
    if as_json:
        echo_json(result_json(found, state, "not finished yet" if code == NOT_FINISHED else reason, brought))
    elif code != NOT_FINISHED:
        _print(found, brought)
    if code == NOT_FINISHED:
        echo(
            f"{found.id} has not finished yet: it is {state}; `picoclaw describe {found.id}` says why, "
            f"`picoclaw watch {found.id}` follows it to its end",
            err=True,
        )
    elif code:
        why = f": {safe(reason)}" if reason else ""
        echo(f"{found.id} ended {state}{why}", err=True)
    return code


async def read_result(swarm: "Swarm", found: "Found") -> tuple[dict[str, Any], int]:
    """Return the stable JSON form of what a request or task brought, and the exit code."""
    state, reason, brought = await _read(swarm, found)
    return result_json(found, state, reason, brought), _code(state)


def _code(state: str) -> int:
    from ..swarm.records import TERMINAL

    if state not in TERMINAL:
        return NOT_FINISHED
    return 0 if state == "done" else 1


async def _read(swarm: "Swarm", found: "Found") -> "tuple[str, str, Result | None]":
    """Return the state of a request or task, its reason and its result."""
    from ..swarm.bodies import unpack_result
    from ..swarm.fold import TaskHead
    from ..swarm.log import decode
    from ..swarm.subjects import REQUEST_STEP

    head = found.state.head if found.step is None else found.state.heads.get(found.step, TaskHead())
    if head.terminal:
        async for followed in swarm.log.history(found.state.id, found.step or REQUEST_STEP):
            brought = _result_of(decode(followed))
            if brought is not None:
                # The first terminal entry wins.
                return head.state, head.reason, await unpack_result(brought, swarm.artifacts)
    return head.state, head.reason, None


def _result_of(entry: "Entry | None") -> "Result | None":
    from ..swarm.entries import Cancelled, Done, Failed

    return entry.result if isinstance(entry, Done | Failed | Cancelled) else None


def result_json(found: "Found", state: str, reason: str, brought: "Result | None") -> dict[str, Any]:
    """Return the stable JSON form of what was brought."""
    data = brought.data if brought else None
    if found.step is None:
        return {
            "request": found.id,
            "state": state,
            "partial": found.state.head.partial,
            "reason": reason,
            "report": data.get("data") if isinstance(data, dict) else None,
        }
    return {
        "task": found.id,
        "state": state,
        "reason": reason,
        "summary": brought.summary if brought else "",
        "data": data,
        "artifacts": [ref.model_dump(exclude_none=True) for ref in brought.artifacts] if brought else [],
    }


def _print(found: "Found", brought: "Result | None") -> None:
    import json

    if brought is None:
        return
    data = brought.data
    if found.step is None and isinstance(data, dict) and isinstance(data.get("markdown"), str):
        echo(safe_lines(str(data["markdown"])).rstrip())
        return
    if brought.summary:
        echo(safe_lines(brought.summary))
    if data is not None:
        # ASCII only, so nothing in it can act on a terminal.
        echo(json.dumps(data, indent=2))
    for ref in brought.artifacts:
        echo(f"artifact: {safe(ref.filename or ref.name)} ({ref.size:,} bytes)")
