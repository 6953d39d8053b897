"""`picoclaw create agent NAME`: into the swarm's registry, else into a file of this machine."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import ConfigError, NoServer, NotReady, SwarmError, UsageError
from ...gateway.asked import sender
from ..aliases import AliasGroup
from ..errors import echo_warning
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, safe

if TYPE_CHECKING:
    from ...capabilities.agent.profiles.profile import Profile
    from ...config.load import Loaded
    from ...swarm.swarm import Swarm

CODES = """\b
Exit codes: 0 done, 1 failed, 2 wrong usage or the name is taken (nothing was
changed), 3 no connection, where --registry wants one.
"""
NO_NUMBER = {
    "float_parsing": "it is no number: write for example 0.50",
    "int_parsing": "it is no whole number: write for example 20",
    "int_from_float": "it is no whole number: write for example 20",
}
EPILOG = f"""\b
Examples:
  picoclaw create agent coder --model anthropic/claude-opus-5 --skills git
  picoclaw create agent tester --skills code-exec,git --tools "bash,read,grep"
  picoclaw create agent notes -d "Writes notes" --system "You write notes."
  picoclaw create agent scout --system-file scout.md --capability research
  picoclaw create agent careful --ask "bash: git push*" --deny web_fetch
  picoclaw create agent frugal --budget-usd 0.50 --budget-turns 20 --local

{CODES}"""


@click.group(
    cls=AliasGroup,
    aliases={"agents": "agent"},
    epilog=EPILOG,
    subcommand_metavar="agent NAME",
)
def create() -> None:
    """Create an agent."""


def _listed(_: click.Context, __: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Return every entry of options that may be given again and take several, separated by commas."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


@create.command(epilog=EPILOG, short_help="An agent: its model, tools, skills and limits.")
@click.argument("name")
@click.option("--description", "-d", default="", metavar="TEXT", help="What it is for, in a line.")
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    callback=_listed,
    metavar="MODEL",
    help="PROVIDER/NAME; several: the next where one does not answer. [the node's]",
)
@click.option("--system", default="", metavar="TEXT", help="Who it is and how it works.")
@click.option("--system-file", metavar="FILE", help="Read that from a file.")
@click.option(
    "--skills", multiple=True, callback=_listed, metavar="A,B", help="Its skills, see `picoclaw skills list`."
)
@click.option("--tools", multiple=True, callback=_listed, metavar="A,B", help="Its tools, * fits all. [all]")
@click.option("--mcp", multiple=True, callback=_listed, metavar="A,B", help="MCP servers by name.")
@click.option(
    "--capability",
    "-c",
    "capabilities",
    multiple=True,
    callback=_listed,
    metavar="NAME",
    help="What it serves besides its own lane.",
)
@click.option("--budget-usd", metavar="USD", help="What one task may spend.")
@click.option("--budget-tokens", metavar="N", help="Tokens of one task.")
@click.option("--budget-turns", metavar="N", help="Questions to a model of one task.")
@click.option("--budget-wall", metavar="DURATION", help="Time of one task.")
@click.option(
    "--on-breach", type=click.Choice(["wrap_up", "ask"]), help="When its budget is spent. [wrap_up]"
)
@click.option("--allow", multiple=True, metavar="RULE", help='TOOL or "TOOL: PATTERN": allowed.')
@click.option("--ask", multiple=True, metavar="RULE", help="Somebody has to approve it each time.")
@click.option("--deny", multiple=True, metavar="RULE", help="Never; the strictest rule decides.")
@click.option(
    "--default",
    type=click.Choice(["allow", "ask", "deny"]),
    help="Where no rule fits. [allow]",
)
@click.option("--replace", is_flag=True, help="Write over an agent of that name.")
@click.option("--local", is_flag=True, help="Write ~/.picoclaw/agents/NAME.yaml, whatever is reachable.")
@click.option("--registry", is_flag=True, help="Write the swarm's registry or nothing.")
@json_flag
@connection_flags
@click.pass_context
def agent(ctx: click.Context, /, name: str, **told: Any) -> int:
    """Create an agent, for every node of the swarm that can run it.

    It goes into the swarm's registry, which nodes follow while they run. Where no swarm is reachable it
    goes into ~/.picoclaw/agents/NAME.yaml, and a node of this machine registers it when it joins. It is
    asked by `picoclaw dispatch TEXT --agent NAME`.

    \b
    --json: an object with name, new (false: the very same stood there), where
    (registry, file), swarm (null: a file), file (null: the registry).
    """
    if told["local"] and told["registry"]:
        raise click.UsageError("--local and --registry do not go together: give one")
    loaded = load_settings(ctx)
    profile = _profile(name, told)
    for odd in _odd(profile, loaded):
        echo_warning(odd)
    if told["local"]:
        return _to_file(profile, told, why="")
    return _to_registry(loaded, profile, told)


def _profile(name: str, told: dict[str, Any]) -> "Profile":
    """Return the profile that the options describe. Raises UsageError, which names the option."""
    from pydantic import ValidationError

    from ...capabilities.agent.profiles.read import profile_of
    from ...capabilities.agent.profiles.schema import LONGEST_SYSTEM, ProfileForm, check_agent_name

    check_agent_name(name)
    system = _system(told)
    if len(system) > LONGEST_SYSTEM:
        raise UsageError(f"the system prompt has {len(system)} characters: shorten it to {LONGEST_SYSTEM}")
    budget = {key: told[f"budget_{key}"] for key in ("usd", "tokens", "turns", "wall")}
    policy = {key: told[key] for key in ("allow", "ask", "deny") if told[key]}
    given = {
        "description": told["description"],
        "model": told["models"],
        "system": system,
        "tools": told["tools"] or None,
        "skills": told["skills"],
        "mcp": told["mcp"],
        "capabilities": told["capabilities"],
        "budget": {key: value for key, value in budget.items() if value is not None}
        | ({"on_breach": told["on_breach"]} if told["on_breach"] else {}),
        "policy": policy | ({"default": told["default"]} if told["default"] else {}),
    }
    try:
        form = ProfileForm.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        said = NO_NUMBER.get(first["type"], said)
        raise UsageError(f"{_option(first['loc'])}: {said}") from None
    return profile_of(form, name, system=system, place="")


def _odd(profile: "Profile", loaded: "Loaded") -> Iterator[str]:
    """Yield what is known under no such name here: a node elsewhere may have it, and it may be a slip."""
    from ...capabilities.agent.mcp.source import servers_of
    from ...capabilities.agent.skills.shelf import shelf_of
    from ...capabilities.agent.tools.toolbox import known_tools
    from ...config.spelling import did_you_mean

    known = known_tools()
    tools = [*(profile.tools or ()), *(rule.tool for rule in profile.policy.rules)]
    for name in dict.fromkeys(tools):
        if not name.startswith("mcp__") and not any(fnmatchcase(tool, name) for tool in known):
            hint = did_you_mean(name, known) or f"; there are: {', '.join(known)}, and mcp__SERVER__TOOL"
            yield f"no tool is called {safe(name[:80])!r}: what is said of it has no effect{hint}"
    skills = shelf_of(loaded.settings).skills
    for name in profile.skills:
        if not any(fnmatchcase(skill, name) for skill in skills):
            hint = did_you_mean(name, skills) or "; see `picoclaw skills list`"
            yield f"no skill of this machine is called {safe(name[:80])!r}: nodes without it leave it out{hint}"
    try:
        servers = [server.name for server in servers_of(loaded.settings)]
    except ConfigError as error:
        yield str(error)
        return
    for name in profile.mcp:
        if not any(fnmatchcase(server, name) for server in servers):
            hint = did_you_mean(name, servers) or "; see `picoclaw mcp list`"
            yield f"no MCP server of this machine is called {safe(name[:80])!r}: nodes without it leave it out{hint}"


def _option(loc: Sequence[str | int]) -> str:
    """Return the option that a key of the form stands for."""
    parts = [str(part) for part in loc if not isinstance(part, int)]
    if parts[:1] == ["policy"]:
        return f"--{parts[1] if len(parts) > 1 else 'allow'}"
    if parts[:1] == ["budget"]:
        return "--on-breach" if parts[-1] == "on_breach" else f"--{'-'.join(parts)}"
    return "--capability" if parts[:1] == ["capabilities"] else f"--{parts[0] if parts else 'agent'}"


def _system(told: dict[str, Any]) -> str:
    from ...config.plain_yaml import read_text

    if told["system"] and told["system_file"]:
        raise click.UsageError("--system and --system-file do not go together: give one")
    if not told["system_file"]:
        return str(told["system"])
    file = Path(told["system_file"]).expanduser()
    try:
        return read_text(file, f"--system-file: {file}")
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _to_registry(loaded: "Loaded", profile: "Profile", told: dict[str, Any]) -> int:
    async def work(swarm: "Swarm") -> int:
        from ...capabilities.agent.profiles.registered import to_record
        from ...swarm.agents.store import write_agent

        registered, new = await write_agent(swarm, to_record(profile), by=sender(), replace=told["replace"])
        name, hid = registered.record.name, swarm.names.hid
        if told["as_json"]:
            echo_json({"name": name, "new": new, "where": "registry", "swarm": hid, "file": None})
            return 0
        stood = "is in the registry" if new else "stood in the registry already,"
        echo(f"agent {name} {stood} of swarm {safe(hid)}")
        echo(
            f'ask it by `picoclaw dispatch "..." --agent {name}`; see `picoclaw describe agent {name}`',
            err=True,
        )
        return 0

    from ..session import run_session

    try:
        return run_session(loaded, work, name="picoclaw create")
    except (NoServer, SwarmError) as error:
        # No swarm at all, as opposed to one that refuses.
        if told["registry"] or type(error) not in (NoServer, NotReady, SwarmError):
            raise
        return _to_file(profile, told, why=str(error))


def _to_file(profile: "Profile", told: dict[str, Any], *, why: str) -> int:
    from ...capabilities.agent.profiles.known import FOLDER
    from ...capabilities.agent.profiles.written import as_yaml
    from ...config.write import write_private
    from ...swarm.embedded.rundir import picoclaw_home

    file = picoclaw_home() / FOLDER / f"{profile.name}.yaml"
    text = as_yaml(profile)
    new = True
    if file.exists():
        new = file.read_text(encoding="utf-8", errors="replace") != text
        if new and not told["replace"]:
            raise UsageError(
                f"{file} is there already and it is another agent: give --replace to write over it"
            )
    if new:
        write_private(file, text, replace=told["replace"])
    if told["as_json"]:
        echo_json({"name": profile.name, "new": new, "where": "file", "swarm": None, "file": str(file)})
        return 0
    if why:
        echo(f"no swarm is reachable ({safe(why, 300)})", err=True)
    echo(f"agent {profile.name} is in {file}")
    echo("a node of this machine serves it, and registers it in the swarm when it joins", err=True)
    return 0
