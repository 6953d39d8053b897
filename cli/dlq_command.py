"""`picoclaw dlq list|show ID`: the tasks whose attempts are used up."""

import json
from typing import TYPE_CHECKING, Any

import click

from .aliases import AliasGroup
from .completion.offered import Offered
from .flags import connection_flags, load_settings
from .printing.formats import Format, Listing, format_flags, json_flag, read_format
from .printing.output import age, echo, echo_json, iso, safe, stamp

if TYPE_CHECKING:
    from ..swarm.dead_letters import Letter
    from ..swarm.swarm import Swarm

NAME = 60
"""Characters of a name in a column."""
TEXT = 300
INPUT = 2000
"""Characters of an input that are shown; --json has it whole."""

CODES = """\b
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage, no such task
or several, 3 no connection.
"""
EPILOG = f"""\b
Examples:
  picoclaw dlq list
  picoclaw dlq list -o wide
  picoclaw dlq show r-k3pq.security
  picoclaw dlq show r-k3pq --json

{CODES}"""


@click.group(cls=AliasGroup, aliases={"ls": "list", "get": "list", "describe": "show"}, epilog=EPILOG)
def dlq() -> None:
    """Show the dead letters: tasks whose attempts are used up, with what they were to do."""


def _ids(ctx: click.Context) -> list[str]:
    from .completion.online import letter_ids

    return letter_ids(ctx)


@dlq.command("list", short_help="The dead letters, latest first.", epilog=EPILOG)
@format_flags
@connection_flags
@click.pass_context
def list_letters(ctx: click.Context, output: Format | None, as_json: bool) -> int:
    """List the dead letters, the latest first.

    \b
    --json: a list of objects with id (the task's), request, step, capability,
    attempts, node (the last), error, died_at, title.
    """
    form = read_format(output, as_json)

    async def work(swarm: "Swarm") -> int:
        from ..swarm.dead_letters import read_letters
        from ..swarm.look import server_time

        letters = await read_letters(swarm)
        _listing(await server_time(swarm)).show(letters, form)
        return 0

    return _session(ctx, work)


@dlq.command(short_help="One dead letter: what it was to do, and why it died.", epilog=EPILOG)
@click.argument("id", type=Offered("id", _ids))
@json_flag
@connection_flags
@click.pass_context
def show(ctx: click.Context, id: str, as_json: bool) -> int:
    """Show a dead letter: what the task was to do, with which input, and why it died.

    ID is the task's id, or a beginning of it that fits no other dead letter.

    \b
    --json: as one object of `dlq list --json`, and priority, text (the
    request's), input, repository, inputs (step to the result it builds on).
    """

    async def work(swarm: "Swarm") -> int:
        from ..errors import SwarmError
        from ..swarm.bodies import unpack_queued
        from ..swarm.dead_letters import read_letters
        from ..swarm.look import server_time
        from ..swarm.resolve import the_one
        from .errors import echo_warning

        letters = {letter.id: letter for letter in await read_letters(swarm)}
        typed = id.strip().lower()
        typed = typed if typed.startswith("r-") or typed == "r" else f"r-{typed}"
        letter = letters[the_one(typed, letters, "dead letter", hint="see `picoclaw dlq list`")]
        queued = letter.dead.queued
        try:
            queued = await unpack_queued(queued, swarm.artifacts)
        except SwarmError as error:
            # What its letter says itself is better than nothing.
            echo_warning(f"its body cannot be read: {error}")
        if as_json:
            echo_json(
                {
                    **letter_json(letter),
                    "priority": queued.priority,
                    "text": queued.text,
                    "input": queued.task.input,
                    "repository": queued.task.repository and queued.task.repository.model_dump(mode="json"),
                    "inputs": {
                        step: result.model_dump(mode="json") for step, result in queued.inputs.items()
                    },
                }
            )
            return 0
        from .describe.fields import print_fields

        given = {key: value for key, value in queued.task.input.items() if key != "text"}
        ago = age(await server_time(swarm) - letter.at)
        print_fields(
            ("ID", letter.id),
            ("Title", safe(queued.task.title, TEXT)),
            ("Error", safe(letter.dead.error, INPUT)),
            ("Attempts", f"{letter.dead.attempt} of {queued.task.max_attempts}"),
            ("Node", safe(letter.dead.node, NAME)),
            ("Died", f"{stamp(letter.at)} ({ago} ago)"),
            ("Capability", safe(queued.task.demand, TEXT)),
            ("To be done by", safe(queued.task.capability or "")),
            ("Text", safe(queued.text, TEXT)),
            # ASCII only, so nothing in it can act on a terminal.
            ("Input", json.dumps(given)[:INPUT] if given else ""),
            ("Builds on", safe(", ".join(queued.inputs), TEXT)),
            ("Repository", safe(queued.task.repository.label, TEXT) if queued.task.repository else ""),
        )
        echo(f"\nIts history: picoclaw describe task {letter.id}")
        return 0

    return _session(ctx, work)


def letter_json(letter: "Letter") -> dict[str, Any]:
    """Return a dead letter's stable JSON form, without what it carries."""
    queued = letter.dead.queued
    return {
        "id": letter.id,
        "request": queued.request,
        "step": queued.task.step,
        "capability": queued.task.demand,
        "attempts": letter.dead.attempt,
        "node": letter.dead.node,
        "error": letter.dead.error,
        "died_at": iso(letter.at),
        "title": queued.task.title,
    }


def _agent(letter: "Letter") -> str:
    from .get.tasks import asked_for

    task = letter.dead.queued.task
    return asked_for(task.demand, task.capability or "")


def _listing(now: float) -> Listing["Letter"]:
    return Listing(
        columns=(
            ("ID", lambda letter: safe(letter.id)),
            ("AGENT", _agent),
            ("ATTEMPTS", lambda letter: str(letter.dead.attempt)),
            ("DIED", lambda letter: f"{age(now - letter.at)} ago"),
            ("ERROR", lambda letter: safe(letter.dead.error, TEXT)),
        ),
        wide=(
            ("ID", lambda letter: safe(letter.id)),
            ("AGENT", _agent),
            ("ATTEMPTS", lambda letter: str(letter.dead.attempt)),
            ("DIED", lambda letter: f"{age(now - letter.at)} ago"),
            ("NODE", lambda letter: safe(letter.dead.node, NAME) or "-"),
            ("TITLE", lambda letter: safe(letter.dead.queued.task.title, NAME) or "-"),
            ("ERROR", lambda letter: safe(letter.dead.error, TEXT)),
        ),
        name=lambda letter: safe(letter.id),
        form=letter_json,
        empty="no dead letters: no task has used up its attempts",
    )


def _session(ctx: click.Context, work: Any) -> int:
    from .session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw dlq")
