"""`picoclaw capabilities`: what this machine can offer, by what, and what it needs for the rest."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from .errors import echo_error
from .flags import connection_flags, load_settings
from .printing.output import echo_json, echo_table, safe

if TYPE_CHECKING:
    from ..capabilities.executor import Executors
    from ..capabilities.inventory import Offered
    from ..config.load import Loaded

EPILOG = """\b
Examples:
  picoclaw capabilities
  picoclaw capabilities --json
  picoclaw capabilities --check word-count
  picoclaw capabilities --capabilities.path ./capabilities

\b
Definitions of your own are YAML files in ~/.picoclaw/capabilities (or
--capabilities.path). No server is asked; `picoclaw get capabilities` shows
what the nodes of a swarm offer.
Exit codes: 0 done; 1 with --check, when it is not ready; 2 wrong usage, or a
definition that is wrong.
"""


@click.command(epilog=EPILOG)
@click.option("--check", metavar="NAME", help="Only this one; exit code 1 when it is not ready.")
@click.option("--all", "everything", is_flag=True, help="Also the languages that nothing here serves.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@connection_flags
@click.pass_context
def capabilities(ctx: click.Context, check: str | None, everything: bool, as_json: bool) -> int:
    """List what this machine can offer, and what it needs for the rest.

    \b
    --json: a list of objects with name, ready, by (analyzers, command, function,
    agent, or empty where nothing serves it), needs, place, description; with
    --check one such object.
    """
    from ..capabilities.inventory import inventory, look_up
    from ..config.names import canonical_capability

    wanted = canonical_capability(check) if check is not None else None
    executors, mistakes = _executors(load_settings(ctx))
    rows = inventory(executors, everything=everything) if wanted is None else (look_up(wanted, executors),)
    if as_json:
        echo_json([_as_json(row) for row in rows] if wanted is None else _as_json(rows[0]))
    else:
        echo_table(("CAPABILITY", "STATUS", "BY", "DETAIL"), map(_line, rows))
    for mistake in mistakes:
        echo_error(mistake)
    if wanted is not None and not rows[0].ready:
        _hint(wanted, list(executors))
        return 2 if mistakes else 1
    return 2 if mistakes else 0


def _executors(loaded: "Loaded") -> "tuple[Executors, list[str]]":
    """Return what the files that can be read define, and what is wrong with the others."""
    from ..capabilities.agent.profiles.known import known_profiles
    from ..capabilities.definitions.files import definition_files
    from ..capabilities.registry import load_executors
    from ..capabilities.told import Told
    from ..swarm.embedded.rundir import picoclaw_home

    paths = loaded.settings.capabilities.path or (picoclaw_home() / "capabilities",)
    told = Told(settings=loaded.settings, home=picoclaw_home())
    mistakes: list[str] = []
    try:
        known_profiles(told)
    except ConfigError as error:
        mistakes.append(str(error))
        told = Told()
    try:
        return load_executors(paths, told), mistakes
    except ConfigError:
        files = definition_files(paths)
    right: list[Path] = []
    for file in files:
        try:
            load_executors([*right, file], told)
        except ConfigError as error:
            mistakes.append(str(error))
        else:
            right.append(file)
    return load_executors(right, told), mistakes


def _hint(name: str, known: Sequence[str]) -> None:
    from ..config.spelling import did_you_mean

    hint = did_you_mean(name, known) if name not in known else ""
    if hint:
        click.echo(f"picoclaw: {name} is not known here{hint}", err=True)


def _line(row: "Offered") -> Sequence[str]:
    by = " ".join(part for part in (row.by, _short(row.place)) if part)
    return [
        row.name,
        "ready" if row.ready else "not ready",
        safe(by) or "-",
        safe(row.needs or row.description) or "-",
    ]


def _short(place: str) -> str:
    """Return a place with the user's home as `~`."""
    import os

    home = os.path.expanduser("~")
    return "~" + place[len(home) :] if home != "/" and place.startswith(home + "/") else place


def _as_json(row: "Offered") -> dict[str, Any]:
    return {
        "name": row.name,
        "ready": row.ready,
        "by": row.by,
        "needs": row.needs,
        "place": row.place,
        "description": row.description,
    }
