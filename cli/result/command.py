"""`picoclaw result ID`: what a request or task brought."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ..completion.offered import REQUEST
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, safe, safe_lines
from .sarif import STDOUT, check_sarif, write_sarif

if TYPE_CHECKING:
    from ...swarm.records import Result
    from ...swarm.resolve import Found
    from ...swarm.swarm import Swarm

NOT_FINISHED = 4

EPILOG = """\b
Examples:
  picoclaw result r-k3pq
  picoclaw result r-k3pq.security
  picoclaw result r-k3pq --json
  picoclaw result r-k3pq --sarif review.sarif
  picoclaw result r-k3pq --artifacts ./out

\b
Exit codes: 0 done, 1 failed, dead or cancelled, 2 wrong usage or no such id,
3 no connection, 4 not finished yet.
"""


@click.command(epilog=EPILOG)
@click.argument("id", type=REQUEST)
@click.option("--artifacts", metavar="DIR", help="Also fetch the artifacts into this folder.")
@click.option(
    "--sarif",
    metavar="[FILE]",
    is_flag=False,
    flag_value=STDOUT,
    help="Write a code review as SARIF 2.1.0; without FILE to stdout.",
)
@json_flag
@connection_flags
@click.pass_context
def result(ctx: click.Context, id: str, artifacts: str | None, sarif: str | None, as_json: bool) -> int:
    """Print what a request or task brought: a request's report in Markdown, a task's summary and data.

    ID is the id of a request or task, a beginning of one that fits no other, or `last`.

    \b
    --json of a request, as of `picoclaw dispatch --json`: an object with request,
    state, partial, reason, report (null where there is none).
    --json of a task: task, state, reason, summary, data, artifacts, log.
    """
    folder = Path(artifacts) if artifacts is not None else None

    async def work(swarm: "Swarm") -> int:
        from ...swarm.resolve import resolve

        found = await resolve(swarm, id)
        if sarif is not None:
            await _save_sarif(swarm, found, sarif)
        code = await show_result(swarm, found, as_json, report_too=sarif != STDOUT)
        if folder is not None and code != NOT_FINISHED:
            await save_artifacts(swarm, found, folder)
        return code

    from ..session import run_session
    from .saved_artifacts import check_target, save_artifacts

    check_sarif(sarif, as_json=as_json)
    if folder is not None:
        check_target(folder)

    return run_session(load_settings(ctx), work, name="picoclaw result")


async def _save_sarif(swarm: "Swarm", found: "Found", file: str) -> None:
    """Write a request's report as SARIF, if it has one; a request without one says so anyway."""
    if found.step is not None:
        whole = f"picoclaw result {found.state.id} --sarif"
        raise UsageError(f"--sarif takes a whole request and {found.id} is a task: write `{whole}`")
    brought, _ = await read_result(swarm, found)
    if brought["report"] is not None:
        write_sarif(brought["report"], file)


async def show_result(swarm: "Swarm", found: "Found", as_json: bool, *, report_too: bool = True) -> int:
    """Print what a request or task brought, unless `report_too` is False, and return the exit code.

    4: it has not finished yet.
    """
    from ...gateway import results

    state, reason, brought = await results.read_result(swarm, found)
    code = _code(state)
    if as_json:
        echo_json(result_json(found, state, "not finished yet" if code == NOT_FINISHED else reason, brought))
    elif code != NOT_FINISHED and report_too:
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
    from ...gateway import results

    state, reason, brought = await results.read_result(swarm, found)
    return result_json(found, state, reason, brought), _code(state)


def _code(state: str) -> int:
    from ...swarm.records import TERMINAL

    if state not in TERMINAL:
        return NOT_FINISHED
    return 0 if state == "done" else 1


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
        "log": (brought.log or "") if brought else "",
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
    if isinstance(data, str):
        if data != brought.summary:
            echo(safe_lines(data))
    elif data is not None:
        # ASCII only, so nothing in it can act on a terminal.
        echo(json.dumps(data, indent=2))
    for ref in brought.artifacts:
        echo(f"artifact: {safe(ref.filename or ref.name)} ({ref.size:,} bytes)")
    if brought.log:
        echo(f"log:\n{safe_lines(brought.log)}")
