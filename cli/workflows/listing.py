"""`picoclaw workflows list` and `show`."""

from typing import TYPE_CHECKING, Any

import click

from ..errors import echo_error
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, echo_table, safe
from .find import NAME, Known, find_workflow, known_workflows

if TYPE_CHECKING:
    from ...roles.planning.inputs import Input
    from ...roles.planning.template import TemplateTask

LIST_EPILOG = """\b
Examples:
  picoclaw workflows list
  picoclaw workflows list --json

\b
Exit codes: 0 done, 2 wrong usage or a wrong file.
"""
SHOW_EPILOG = """\b
Examples:
  picoclaw workflows show code-review
  picoclaw workflows show licences --json

\b
Exit codes: 0 done, 2 wrong usage, no such workflow or a wrong file.
"""


@click.command("list", epilog=LIST_EPILOG, short_help="The workflows that this machine knows.")
@json_flag
@connection_flags
@click.pass_context
def list_workflows(ctx: click.Context, as_json: bool) -> int:
    """List the workflows in ~/.picoclaw/workflows (or --workflows.path), and those that come along.

    \b
    --json: a list of objects with name, title, path (null: shipped), inputs,
    steps, join, repository, asks.
    """
    known, wrong = known_workflows(load_settings(ctx))
    if as_json:
        echo_json([_json(one) for one in known])
    else:
        echo_table(
            ("NAME", "INPUTS", "STEPS", "FROM", "TITLE"),
            [
                (
                    one.template.name,
                    ", ".join(
                        name + ("" if declared.required else "?")
                        for name, declared in one.template.inputs.items()
                    )
                    or "-",
                    str(len(one.template.tasks)),
                    safe(one.origin),
                    safe(one.template.title),
                )
                for one in known
            ],
        )
    for error in wrong:
        echo_error(str(error))
    return 2 if wrong else 0


@click.command("show", epilog=SHOW_EPILOG, short_help="What a workflow needs and does.")
@click.argument("name", type=NAME)
@json_flag
@connection_flags
@click.pass_context
def show_workflow(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show a workflow's inputs, steps and join. NAME is its name, or a YAML file.

    \b
    --json: the workflow as its file has it, with path (null: shipped).
    """
    one = find_workflow(name, load_settings(ctx))
    template = one.template
    if as_json:
        data = template.to_json()
        assert isinstance(data, dict)
        echo_json({"path": str(one.path) if one.path is not None else None, **data})
        return 0
    echo(f"{template.name}: {safe(template.title)}" if template.title else template.name)
    echo(f"from: {safe(one.origin)}")
    if template.match.asks:
        needs = " (with a repository)" if template.match.repository else ""
        echo(f"asked for by: {safe(', '.join(template.match.asks), 200)}{needs}")
    echo(f"join: {_join(one)}{'; a task that is not done fails it' if template.partial == 'fail' else ''}")
    if template.inputs:
        echo("\nInputs")
        echo_table(
            ("NAME", "TYPE", "DEFAULT", "WHAT"),
            [
                (key, declared.type, _default(declared), safe(declared.description))
                for key, declared in template.inputs.items()
            ],
        )
    echo("\nSteps")
    echo_table(("STEP", "NEEDS", "AFTER", "FOR EACH", "TITLE"), [_step(task) for task in template.tasks])
    return 0


def _join(one: Known) -> str:
    join = one.template.join
    return join if isinstance(join, str) else f"table of {', '.join(safe(name, 40) for name in join.columns)}"


def _default(declared: "Input") -> str:
    if declared.required:
        return (
            f"required{f' (files {safe(chr(32).join(declared.patterns), 60)})' if declared.patterns else ''}"
        )
    if declared.patterns:
        return safe(" ".join(declared.patterns), 60)
    import json

    return safe(json.dumps(declared.default), 60) if declared.default is not None else "-"


def _step(task: "TemplateTask") -> tuple[str, str, str, str, str]:
    items = "-"
    if task.for_each is not None:
        items = task.for_each if isinstance(task.for_each, str) else f"{len(task.for_each)} items"
        if task.shards is not None:
            items += f" in {task.shards} shards"
        if task.batch is not None:
            items += f", {task.batch} in each"
    needs = task.demand if task.capability is None else f"{task.capability} on {task.demand}"
    return task.step, safe(needs), ", ".join(task.after) or "-", safe(items), safe(task.title)


def _json(one: Known) -> dict[str, Any]:
    template = one.template
    return {
        "name": template.name,
        "title": template.title,
        "path": str(one.path) if one.path is not None else None,
        "inputs": {name: declared.model_dump(mode="json") for name, declared in template.inputs.items()},
        "steps": [task.step for task in template.tasks],
        "join": template.join if isinstance(template.join, str) else "table",
        "repository": template.match.repository,
        "asks": list(template.match.asks),
    }
