"""`picoclaw workflows validate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import PlanError
from ..errors import echo_error
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, safe
from ..request.typed_path import typed_path
from .find import Known, folders

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...roles.planning.template import Template
    from ...swarm.swarm import Swarm

EPILOG = """\b
Examples:
  picoclaw workflows validate
  picoclaw workflows validate licences.yaml nightly.yaml
  picoclaw workflows validate --check

\b
Exit codes: 0 all are right, 1 with --check: nobody serves a part of them,
2 a file is wrong, 3 with --check: no connection.
"""


@click.command("validate", epilog=EPILOG, short_help="Whether workflow files are right.")
@click.argument("files", nargs=-1, metavar="[FILE|FOLDER]...")
@click.option("--check", is_flag=True, help="Ask the swarm as well, whether somebody serves each step.")
@json_flag
@connection_flags
@click.pass_context
def validate_workflows(ctx: click.Context, files: tuple[str, ...], check: bool, as_json: bool) -> int:
    """Check workflow files: keys, inputs, references, steps, loops, demands and the join.

    Without a file, those in ~/.picoclaw/workflows (or --workflows.path). One line for each.

    \b
    --json: a list of objects with file, name, ok, error, unserved.
    """
    from ...roles.workflow_files import workflow_paths

    loaded = load_settings(ctx)
    named = [typed_path(file) for file in files]
    paths = [path for one in named for path in (workflow_paths([one]) or [one])]
    if not files:
        paths = list(workflow_paths(folders(loaded)))
    right: list[Known] = []
    wrong: dict[Path, str] = {}
    for path in dict.fromkeys(paths):
        try:
            right.append(Known(_read(path, right), path))
        except PlanError as error:
            wrong[path] = str(error)
    unserved = _unserved(loaded, right) if check else {}
    rows = [_row(one.path, one, None, unserved) for one in right] + [
        _row(path, None, error, {}) for path, error in wrong.items()
    ]
    if as_json:
        echo_json(rows)
    else:
        _print(rows, loaded)
    return 2 if wrong else 1 if any(row["unserved"] for row in rows) else 0


def _read(path: Path, others: list[Known]) -> "Template":
    from ...roles.workflow_files import read_workflow

    template = read_workflow(path)
    for other in others:
        if other.template.name == template.name:
            raise PlanError(
                f"template {path}: {template.name!r} is also the name of {other.path}: rename one of them"
            )
    return template


def _row(
    path: Path | None, one: Known | None, error: str | None, unserved: dict[str, list[str]]
) -> dict[str, Any]:
    return {
        "file": str(path),
        "name": one.template.name if one is not None else None,
        "ok": error is None,
        "error": error,
        "unserved": unserved.get(one.template.name, []) if one is not None else [],
    }


def _print(rows: list[dict[str, Any]], loaded: "Loaded") -> None:
    for row in rows:
        if row["ok"]:
            echo(f"{safe(row['file'])}: {row['name']} is right")
            for why in row["unserved"]:
                click.echo(f"  {safe(why)}", err=True)
        else:
            echo_error(row["error"])
    if not rows:
        echo(f"no workflow files in {', '.join(str(folder) for folder in folders(loaded))}")


def _unserved(loaded: "Loaded", known: list[Known]) -> dict[str, list[str]]:
    """Return, by workflow, why its steps would wait: a line for each demand that nobody serves now."""
    from ..session import run_session

    found: dict[str, list[str]] = {}

    async def work(swarm: "Swarm") -> int:
        from ...swarm.demand import parse_demand
        from ...swarm.unroutable import why_unroutable

        await swarm.read_members()
        offers = [member.offer for member in swarm.members.living()]
        for one in known:
            for text in dict.fromkeys(task.demand for task in one.template.tasks if "${" not in task.demand):
                demand = parse_demand(text)
                if not swarm.members.slots_for(demand):
                    found.setdefault(one.template.name, []).append(why_unroutable(demand, offers))
        return 0

    run_session(loaded, work, name="picoclaw workflows validate")
    return found
