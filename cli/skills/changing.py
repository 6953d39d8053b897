"""`picoclaw skills install`, `create` and `remove`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, safe
from .find import SKILL, find_skill

if TYPE_CHECKING:
    from ...capabilities.agent.skills.install import Fetched
    from ...config.load import Loaded

INSTALL_EPILOG = """\b
Examples:
  picoclaw skills install ./invoices
  picoclaw skills install invoices.zip --dry-run
  picoclaw skills install https://github.com/example/skills#v2 --only invoices
  picoclaw skills install invoices.tar.gz --digest sha256:9f86d081884c7d65

\b
A git URL is followed by # and a commit, tag or branch; what it stood at is
kept. Nothing of a skill is run; its text will instruct your agents, so read
it: `picoclaw skills show NAME`. An archive elsewhere is downloaded first.
Exit codes: 0 done; 2 wrong usage, nothing was installed.
"""
CREATE_EPILOG = """\b
Examples:
  picoclaw skills create invoices
  picoclaw skills create invoices -d "How we write invoices." --needs python3
  picoclaw skills create deploy --needs "kubectl | mcp:kubernetes"

\b
Exit codes: 0 done; 2 wrong usage, or there is one by that name.
"""
REMOVE_EPILOG = """\b
Examples:
  picoclaw skills remove invoices

\b
Exit codes: 0 done; 2 wrong usage, no such skill, or one that comes along.
"""


@click.command("install", epilog=INSTALL_EPILOG, short_help="Install skills from a folder, archive or git.")
@click.argument("source", metavar="FOLDER|ARCHIVE|URL#COMMIT")
@click.option("--only", multiple=True, metavar="NAME", help="Of several skills, this one; may be repeated.")
@click.option("--digest", metavar="SHA256", help="Refuse it unless its digest is this, or begins so.")
@click.option("--force", is_flag=True, help="Replace a skill of the same name.")
@click.option("--dry-run", is_flag=True, help="Show what would be installed, and install nothing.")
@json_flag
@connection_flags
@click.pass_context
def install_skill(
    ctx: click.Context,
    source: str,
    only: tuple[str, ...],
    digest: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Install skills into ~/.picoclaw/skills (or the first folder of --skills.path).

    \b
    --json: a list of objects with name, description, digest, files, programs,
    source, commit, place, installed.
    """
    from ...capabilities.agent.skills.install import fetched, install

    folder = _folder(load_settings(ctx))
    with fetched(source, only) as found:
        if digest is not None:
            _check(found, digest)
        rows = []
        for one in found:
            done = not dry_run and install(one, folder, force=force)
            rows.append(_row(one, folder, done))
    if as_json:
        echo_json(rows)
        return 0
    for row in rows:
        state = "would be installed" if dry_run else "installed" if row["installed"] else "is there already"
        echo(f"{row['name']} {state}: {safe(row['place'])}")
        echo(f"  {safe(row['description'])}")
        at = f" at {row['commit']}" if row["commit"] else ""
        echo(f"  from {safe(row['source'])}{at}")
        echo(f"  {row['files']} {'file' if row['files'] == 1 else 'files'}, {row['digest']}")
        if row["programs"]:
            echo(f"  holds programs, which nothing has run: {safe(', '.join(row['programs']), 300)}")
    return 0


@click.command("create", epilog=CREATE_EPILOG, short_help="Write a new skill to fill in.")
@click.argument("name")
@click.option("-d", "--description", default="", metavar="TEXT", help="What it is for, and when to use it.")
@click.option(
    "--needs", multiple=True, metavar="NEED", help="A program, env:NAME, mcp:NAME; `|` between any."
)
@json_flag
@connection_flags
@click.pass_context
def create_skill(
    ctx: click.Context, name: str, description: str, needs: tuple[str, ...], as_json: bool
) -> int:
    """Write a skill's folder with a SKILL.md that shows what belongs where.

    \b
    --json: an object with name, place.
    """
    from ...capabilities.agent.skills.needs import parse_need
    from ...capabilities.agent.skills.read import LONGEST_DESCRIPTION, LONGEST_NAME, NAME
    from ...capabilities.agent.skills.skill import FILE
    from ...capabilities.agent.skills.template import skill_template

    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(f"{name[:80]!r} cannot name a skill: use 1 to 64 of a-z, 0-9 and single '-'")
    if len(description) > LONGEST_DESCRIPTION or not description.replace("\n", " ").isprintable():
        raise UsageError(f"--description is one line of at most {LONGEST_DESCRIPTION} characters: shorten it")
    try:
        wanted = [str(parse_need(need)) for need in needs]
    except ValueError as error:
        raise UsageError(f"--needs: {error}") from None
    folder = _folder(load_settings(ctx)) / name
    file = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(skill_template(name, description, wanted))
    except FileExistsError:
        raise UsageError(f"{file} is there already: edit it, or choose another name") from None
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written ({error.strerror}): give this user the right to"
        ) from None
    if as_json:
        echo_json({"name": name, "place": str(file)})
        return 0
    echo(f"wrote {safe(str(file))}: fill it in, then look at it with `picoclaw skills show {name}`")
    return 0


@click.command("remove", epilog=REMOVE_EPILOG, short_help="Remove a skill of yours.")
@click.argument("name", type=SKILL)
@json_flag
@connection_flags
@click.pass_context
def remove_skill(ctx: click.Context, name: str, as_json: bool) -> int:
    """Remove a skill and its files from this machine.

    \b
    --json: an object with name, place.
    """
    from ...capabilities.agent.skills.install import remove

    skill = find_skill(name, load_settings(ctx))
    remove(skill)
    if as_json:
        echo_json({"name": skill.name, "place": skill.place})
    else:
        echo(f"removed {safe(str(skill.folder))}")
    return 0


def _folder(loaded: "Loaded") -> Path:
    from ...capabilities.agent.skills.shelf import skill_folders

    return skill_folders(loaded.settings)[0]


def _check(found: "tuple[Fetched, ...]", digest: str) -> None:
    wanted = digest.removeprefix("sha256:").lower()
    if len(found) != 1:
        raise UsageError(f"--digest is of one skill, and {len(found)} are meant: add --only NAME")
    (one,) = found
    if len(wanted) < 8 or not one.origin.digest.removeprefix("sha256:").startswith(wanted):
        raise UsageError(
            f"the digest of {one.skill.name} is {one.origin.digest}, not what --digest says: nothing was installed"
        )


def _row(one: "Fetched", folder: Path, installed: bool) -> dict[str, Any]:
    return {
        "name": one.skill.name,
        "description": one.skill.description,
        "digest": one.origin.digest,
        "files": one.files,
        "programs": list(one.programs),
        "source": one.origin.source,
        "commit": one.origin.commit,
        "place": str(folder / one.skill.name),
        "installed": installed,
    }
