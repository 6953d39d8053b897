"""`picoclaw config show|init|validate|schema|path`: what a node here would be told, and by whom."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config.home import home_folder
from ..config.keys import BY_ENV, BY_FLAG, KEYS, SECTIONS, Key
from ..config.profiles import PROFILES
from ..config.spelling import did_you_mean
from ..errors import UsageError
from .aliases import AliasGroup
from .completion.offered import Offered
from .flags import all_flags, config_file, given_flags, load_settings
from .printing.formats import json_flag
from .printing.output import echo, echo_json, echo_table, safe

if TYPE_CHECKING:
    from ..config.load import Loaded

INVALID = 2
STDOUT = "-"

SHOW_EXAMPLES = """\b
Examples:
  picoclaw config show
  picoclaw config show --origin swarm.nats
  picoclaw --swarm.profile large config show --origin
  PICOCLAW_SWARM_ROLE=specialist picoclaw config show swarm.role --json

\b
Every node flag may stand before or after the verb: it shows what that
command line would mean. Secrets and passwords are shown as ***.
Exit codes: 0 done, 2 wrong usage or a wrong setting.
"""
INIT_EXAMPLES = """\b
Examples:
  picoclaw config init
  picoclaw config init --profile medium
  picoclaw config init --file ./picoclaw.yaml
  picoclaw config init --file -                  on stdout

\b
Exit codes: 0 done, 2 wrong usage, or there is a file already.
"""
VALIDATE_EXAMPLES = """\b
Examples:
  picoclaw config validate
  picoclaw config validate deploy/*.yaml
  picoclaw config validate picoclaw.yaml --json

\b
Exit codes: 0 all are right, 2 something is wrong (every mistake is told).
"""
SCHEMA_EXAMPLES = """\b
Examples:
  picoclaw config schema > ~/.picoclaw/config.schema.json

\b
Then, as the first line of the file, for editors with YAML support:
  # yaml-language-server: $schema=config.schema.json
Exit codes: 0 done, 2 wrong usage.
"""
USUAL_FOLDERS = {
    "capabilities.path": "~/.picoclaw/capabilities",
    "workflows.path": "~/.picoclaw/workflows",
    "agents.path": "~/.picoclaw/agents",
    "mcp.path": "~/.picoclaw/mcp.yaml",
    "skills.path": "~/.picoclaw/skills",
}
PATH_EXAMPLES = """\b
Examples:
  picoclaw config path

\b
Exit codes: 0 done, 2 wrong usage.
"""
EPILOG = """\b
Examples:
  picoclaw config show --origin
  picoclaw config init
  picoclaw config validate

\b
Exit codes: 0 done, 2 wrong usage or a wrong file.
"""


@click.group(cls=AliasGroup, aliases={}, epilog=EPILOG)
def config() -> None:
    """Show, write and check the settings."""


@config.command(epilog=SHOW_EXAMPLES, short_help="Each value, and where it came from.")
@click.argument(
    "keys", nargs=-1, metavar="[KEY]...", type=Offered("key", lambda _: sorted({*KEYS, *SECTIONS}))
)
@click.option("--origin", "with_origin", is_flag=True, help="Show where each value came from.")
@json_flag
@all_flags
@click.pass_context
def show(ctx: click.Context, keys: Sequence[str], with_origin: bool, as_json: bool) -> int:
    """Print what a node started here would be told.

    KEY is a setting such as swarm.role, or a section such as swarm.nats; without any, all are shown.
    An origin is a flag, an environment variable, FILE:LINE, a profile, or the default.

    \b
    --json: a list of objects with key, value (null: unset), source (flag,
    environment, file, profile, default), origin (the source in words).
    """
    from ..config.load import value_of
    from ..config.masked import masked

    wanted = _chosen(keys)
    loaded = load_settings(ctx)
    values = {key.name: masked(key, value_of(loaded.settings, key.name)) for key in wanted}
    if as_json:
        echo_json([_value_json(name, value, loaded) for name, value in values.items()])
        return 0
    columns = ("KEY", "VALUE", "ORIGIN") if with_origin else ("KEY", "VALUE")
    rows = [(name, _in_force(name, value), str(loaded.origins[name])) for name, value in values.items()]
    echo_table(columns, [[safe(cell) for cell in row[: len(columns)]] for row in rows])
    return 0


@config.command(epilog=INIT_EXAMPLES, short_help="Write a commented file.")
@click.option("--file", "target", metavar="FILE", help="Where to. [default: ~/.picoclaw/config.yaml]")
@click.option("--profile", type=click.Choice(list(PROFILES)), help="Switch a profile on in it.")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@json_flag
@click.pass_context
def init(ctx: click.Context, target: str | None, profile: str | None, force: bool, as_json: bool) -> int:
    """Write a file with every setting, its meaning and its default, all of them switched off.

    It is readable by you alone (0600), as secrets may go into it.

    \b
    --json: an object with file.
    """
    from ..config.commented import commented_file
    from ..config.load import FILE_NAME
    from ..config.write import write_private

    text = commented_file(profile)
    if target == STDOUT:
        echo(text.rstrip("\n"))
        return 0
    if target is not None and not target.strip():
        raise UsageError("--file is empty: name a file, or leave it out for ~/.picoclaw/config.yaml")
    written = Path(target).absolute() if target is not None else home_folder() / FILE_NAME
    write_private(written, text, replace=force)
    if as_json:
        echo_json({"file": str(written)})
    else:
        echo(safe(f"{written} is written; take the # away from what you want to set"))
    return 0


@config.command(epilog=VALIDATE_EXAMPLES, short_help="Check a file: all mistakes at once.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@json_flag
@all_flags
@click.pass_context
def validate(ctx: click.Context, files: Sequence[str], as_json: bool) -> int:
    """Check each FILE as `picoclaw --config FILE` would read it here, and tell every mistake.

    Without FILE it is the one that would be read: that of --config, else ~/.picoclaw/config.yaml.
    Flags and environment variables count too, as they do at a node's start.

    \b
    --json: an object with valid and files, a list of objects with file (null:
    there is none), valid, problems and warnings (lists of lines).
    """
    checked = [_checked(ctx, Path(name)) for name in files] or [_checked(ctx, None)]
    valid = all(one["valid"] for one in checked)
    if as_json:
        echo_json({"valid": valid, "files": checked})
        return 0 if valid else INVALID
    for one in checked:
        where = one["file"] or "no file, defaults"
        count = len(one["problems"])
        echo(safe(f"{where}: " + (f"{count} problem{'s' if count > 1 else ''}" if count else "ok")))
        for line in (*one["problems"], *(f"warning: {warning}" for warning in one["warnings"])):
            echo(f"  {safe(line)}")
    return 0 if valid else INVALID


@config.command(epilog=SCHEMA_EXAMPLES, short_help="A JSON Schema of the file, for editors.")
def schema() -> int:
    """Print a JSON Schema (2020-12) of the YAML file, for editors and CI."""
    from ..config.schema import json_schema

    echo_json(json_schema())
    return 0


@config.command(epilog=PATH_EXAMPLES, short_help="Which file is read.")
@json_flag
@all_flags
@click.pass_context
def path(ctx: click.Context, as_json: bool) -> int:
    """Print the path of the file that is read: that of --config, else ~/.picoclaw/config.yaml.

    \b
    --json: an object with file and exists.
    """
    from ..config.load import FILE_NAME

    given = config_file(ctx)
    read = given.absolute() if given is not None else home_folder() / FILE_NAME
    if as_json:
        echo_json({"file": str(read), "exists": read.exists()})
    else:
        echo(str(read))
    return 0


def _chosen(keys: Sequence[str]) -> list[Key]:
    """Return the settings that are named, or all; in the table's order. Raises UsageError."""
    chosen: set[str] = set()
    for word in keys:
        name = word.removeprefix("--").strip(".")
        key = KEYS.get(name) or BY_FLAG.get(f"--{name}") or BY_ENV.get(name)
        found = {key.name} if key else {other for other in KEYS if other.startswith(f"{name}.")}
        if not found:
            hint = did_you_mean(name, KEYS.keys() | SECTIONS) or "; `picoclaw config show` lists all"
            raise UsageError(f"no setting is called {name[:80]!r}{hint}")
        chosen |= found
    return [key for key in KEYS.values() if key.name in chosen or not keys]


def _value_json(name: str, value: object, loaded: "Loaded") -> dict[str, Any]:
    origin = loaded.origins[name]
    return {"key": name, "value": value, "source": origin.source, "origin": str(origin)}


def _in_force(name: str, value: object) -> str:
    """Return a value for people: of a path that nobody gave, the folder that is read."""
    if name in USUAL_FOLDERS and value == []:
        return f"{USUAL_FOLDERS[name]} (default)"
    return _in_words(value)


def _in_words(value: object) -> str:
    match value:
        case None | "" | [] | {}:
            return "-"
        case bool():
            return "true" if value else "false"
        case list():
            return ",".join(map(str, value))
        case dict():
            return ",".join(f"{name}={item}" for name, item in value.items())
        case _:
            return str(value)


def _checked(ctx: click.Context, file: Path | None) -> dict[str, Any]:
    """Return what is to be said of one file; None: the one that is read."""
    import os

    from ..config.load import FILE_NAME, load

    problems: list[str] = []
    named = file or config_file(ctx)
    read = named or home_folder() / FILE_NAME
    loaded = load(
        given_flags(ctx),
        os.environ,
        file=named,
        home=home_folder(),
        refuse=lambda error: problems.append(str(error)),
    )
    return {
        "file": str(read) if named or os.path.lexists(read) else None,
        "valid": not problems,
        "problems": problems,
        "warnings": list(loaded.warnings),
    }
