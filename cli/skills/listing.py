"""`picoclaw skills list` and `show`."""

import os
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ..errors import echo_error
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, echo_table, safe, safe_lines
from .find import SKILL, find_skill, shelf

if TYPE_CHECKING:
    from ...capabilities.agent.skills.machine import Machine
    from ...capabilities.agent.skills.skill import Skill

LIST_EPILOG = """\b
Examples:
  picoclaw skills list
  picoclaw skills list --json

\b
Exit codes: 0 done; 2 wrong usage, or a skill that is broken (each is told).
"""
SHOW_EPILOG = """\b
Examples:
  picoclaw skills show git
  picoclaw skills show git --json
  picoclaw skills show invoices --file form.md

\b
Exit codes: 0 done; 2 wrong usage, no such skill or file, or a broken one.
"""


@click.command("list", epilog=LIST_EPILOG, short_help="The skills that this machine has.")
@json_flag
@connection_flags
@click.pass_context
def list_skills(ctx: click.Context, as_json: bool) -> int:
    """List the skills in ~/.picoclaw/skills (or --skills.path), and those that come along.

    \b
    --json: a list of objects with name, ready, needs, description, source
    (user or shipped), capability, place.
    """
    from ...capabilities.agent.skills.machine import this_machine

    loaded = load_settings(ctx)
    found = shelf(loaded)
    machine = this_machine(loaded.settings, os.environ)
    rows = [_json(skill, machine) for skill in found.skills.values()]
    if as_json:
        echo_json(rows)
    else:
        echo_table(
            ("SKILL", "STATUS", "FROM", "DETAIL"),
            [
                (
                    row["name"],
                    "ready" if row["ready"] else "not ready",
                    row["source"],
                    safe(row["needs"] or row["description"]),
                )
                for row in rows
            ],
        )
    for broken in found.broken:
        echo_error(f"not ready: {broken.why}")
    return 2 if found.broken else 0


@click.command("show", epilog=SHOW_EPILOG, short_help="What a skill says and needs.")
@click.argument("name", type=SKILL)
@click.option("--file", metavar="PATH", help="One of its further files instead.")
@json_flag
@connection_flags
@click.pass_context
def show_skill(ctx: click.Context, name: str, file: str | None, as_json: bool) -> int:
    """Show what a skill is for, what it needs here, its files, and what an agent is told.

    \b
    --json: an object with what `list` has, and body, files, needs_all,
    allowed_tools, license, metadata, digest, origin, changed.
    """
    from ...capabilities.agent.skills.digest import skill_digest
    from ...capabilities.agent.skills.install import origin_of
    from ...capabilities.agent.skills.machine import this_machine
    from ...capabilities.agent.skills.tool import file_of, files_of

    loaded = load_settings(ctx)
    skill = find_skill(name, loaded)
    if file is not None:
        if as_json:
            raise UsageError("--file and --json do not go together: give one")
        told = file_of(skill, file)
        if told.error:
            raise UsageError(told.text)
        echo(safe_lines(told.text))
        return 0
    row = _json(skill, this_machine(loaded.settings, os.environ))
    digest, origin = skill_digest(skill.folder), origin_of(skill)
    changed = origin is not None and origin.digest != digest
    files = files_of(skill.folder)
    if as_json:
        echo_json(
            {
                **row,
                "body": skill.body,
                "files": files,
                "needs_all": [str(need) for need in skill.needs],
                "allowed_tools": list(skill.allowed_tools),
                "license": skill.license or None,
                "metadata": dict(skill.metadata),
                "digest": digest,
                "origin": None
                if origin is None
                else {"source": origin.source, "commit": origin.commit, "digest": origin.digest},
                "changed": changed,
            }
        )
        return 0
    echo(f"{skill.name}: {safe(skill.description)}")
    echo(f"status: {'ready' if row['ready'] else 'not ready: ' + safe(row['needs'])}")
    echo(f"from: {safe(row['place'])}")
    if origin is not None:
        at = f" at {origin.commit}" if origin.commit else ""
        echo(f"installed from: {safe(origin.source)}{safe(at)}{' (changed since)' if changed else ''}")
    echo(f"digest: {digest}")
    if skill.needs:
        echo(f"needs: {safe('; '.join(map(str, skill.needs)))}")
    if skill.allowed_tools:
        echo(f"written for the tools: {safe(' '.join(skill.allowed_tools))}")
    if skill.license:
        echo(f"licence: {safe(skill.license)}")
    if files:
        echo(f"files: {safe(', '.join(files), 1000)}")
    echo(f"\n{safe_lines(skill.body)}")
    return 0


def _json(skill: "Skill", machine: "Machine") -> dict[str, Any]:
    from ...capabilities.agent.skills.machine import not_ready

    needs = not_ready(skill, machine)
    return {
        "name": skill.name,
        "ready": not needs,
        "needs": needs,
        "description": skill.description,
        "source": skill.source,
        "capability": skill.capability,
        "place": skill.place,
    }
