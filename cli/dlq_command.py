"""`picoclaw dlq list|show ID|redrive ID`: the tasks whose attempts are used up."""

import json
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .aliases import AliasGroup
from .completion.offered import Offered
from .flags import connection_flags, load_settings
from .printing.formats import Format, Listing, format_flags, json_flag, read_format
from .printing.output import age, echo, echo_json, iso, safe, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..swarm.dead_letters import Letter
    from ..swarm.redrive import Redriven
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
  picoclaw dlq redrive r-k3pq.security
  picoclaw dlq redrive --all

{CODES}"""


@click.group(cls=AliasGroup, aliases={"ls": "list", "get": "list", "describe": "show"}, epilog=EPILOG)
def dlq() -> None:
    """Show the dead letters, tasks whose attempts are used up, and send them again."""


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
        from ..swarm.server_time import server_time

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
        from ..swarm.resolve import newest, the_one
        from ..swarm.server_time import server_time
        from .errors import echo_warning

        letters = {letter.id: letter for letter in await read_letters(swarm)}
        typed = _typed(await newest(swarm, id))
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
        echo(f"Send it again, once mended: picoclaw dlq redrive {letter.id}")
        return 0

    return _session(ctx, work)


@dlq.command(short_help="Send dead letters again, once their cause is mended.", epilog=EPILOG)
@click.argument("id", type=Offered("id", _ids), required=False)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@json_flag
@connection_flags
@click.pass_context
def redrive(ctx: click.Context, id: str | None, everything: bool, as_json: bool) -> int:
    """Send dead letters again, once what killed them is mended.

    ID is the id of a task, or of a request for all of its dead tasks, or a beginning of one that fits
    no other, or `last`. Each request's dead tasks run again in one new request, with what waits for them; what
    was done is carried over. A letter leaves once that request is handed in. Where the old request is
    no longer stored, each of its dead tasks becomes a request of its own.

    \b
    --json: a list of objects, one for each new request, with letters (ids of
    tasks), request (null: none was made), new (false: it was there already),
    refused (why the letters stay; null) and why (why none was needed; null).
    """
    if everything == (id is not None):
        raise UsageError("say which: the id of a task or request, or --all")

    async def work(swarm: "Swarm") -> int:
        from ..gateway.asked import sender
        from ..swarm.dead_letters import read_letters
        from ..swarm.redrive import redrive as send_again
        from ..swarm.resolve import newest

        letters = await read_letters(swarm)
        chosen = letters if id is None else _chosen(await newest(swarm, id), letters)
        outcomes = await send_again(swarm, reversed(chosen), sender=sender())
        if as_json:
            echo_json([_redriven_json(one) for one in outcomes])
        else:
            _tell_redriven(outcomes)
        return 1 if any(one.refused for one in outcomes) else 0

    return _session(ctx, work)


def _typed(id: str) -> str:
    typed = id.strip()
    request, dot, step = typed.partition(".")
    request = request.lower()
    return (request if request.startswith("r-") or request == "r" else f"r-{request}") + dot + step


def _chosen(id: str, letters: "Sequence[Letter]") -> "list[Letter]":
    """Return the letter of a task, or those of a request. Raises NotFound, Ambiguous."""
    from ..swarm.resolve import the_one

    typed = _typed(id)
    names = {letter.id for letter in letters}
    if "." not in typed:
        names = {letter.dead.queued.request for letter in letters}
    name = the_one(typed, names, "dead letter", hint="see `picoclaw dlq list`")
    return [letter for letter in letters if name in (letter.id, letter.dead.queued.request)]


def _redriven_json(one: "Redriven") -> dict[str, Any]:
    return {
        "letters": list(one.letters),
        "request": one.request or None,
        "new": one.new,
        "refused": one.refused or None,
        "why": one.why or None,
    }


def _tell_redriven(outcomes: "Sequence[Redriven]") -> None:
    if not outcomes:
        echo("no dead letters: nothing to send again", err=True)
    for one in outcomes:
        letters = safe(", ".join(one.letters), TEXT)
        if one.refused:
            echo(f"picoclaw: {letters} stays: {safe(one.refused, INPUT)}", err=True)
        elif not one.request:
            echo(f"{letters} removed: {safe(one.why, INPUT)}")
        else:
            said = "" if one.new else " (handed in before)"
            echo(f"{letters} goes again as {one.request}{said}: picoclaw watch {one.request}")


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
