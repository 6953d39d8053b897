"""`picoclaw workflows run`: plan a workflow of this machine, send it, and follow it to its end."""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..dispatch_command import follow, print_end
from ..flags import connection_flags, load_settings
from ..grouped import GroupedCommand
from ..printing.output import echo, echo_json, echo_table, safe
from ..request.options import Options, sending_options
from ..request.when import (
    Later,
    Recurring,
    WhenOptions,
    hand_in_later,
    make_recurring,
    read_when,
    still_later,
    when_options,
)
from .find import NAME, find_workflow

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from ...config.load import Loaded
    from ...gateway.asked import Asked
    from ...roles.planning.template import Template
    from ...swarm.records import Plan, RepositoryRef, Request
    from ...swarm.submission import Ended
    from ...swarm.swarm import Swarm
    from ..printing.live import LiveLines

EPILOG = """\b
Examples:
  picoclaw workflows run licences --input repositories=~/src/a
  picoclaw workflows run licences --input repositories=@list.txt --json
  picoclaw workflows run ./tests.yaml --repo . --input shards=8 --dry-run
  picoclaw workflows run nightly --detach --key "nightly-$(date +%F)"

\b
An input that is a list is given once for each entry, or as @FILE with one
entry in each line; NAME:=JSON gives any value. --dry-run prints the tasks and
sends nothing.
Exit codes: 0 done, 1 failed or cancelled, 2 wrong usage or a wrong file,
3 no connection, 130 Ctrl-C (the request goes on; `picoclaw result ID` comes
back to it).
"""

SENDING = 8
"""Repositories that are packed or looked up at the same time."""


@dataclass(frozen=True, slots=True)
class _Order:
    """A workflow with all that it was given, checked."""

    template: "Template"
    asked: "Asked"
    inputs: "dict[str, JsonValue]"
    repositories: dict[str, list[str]]


@click.command("run", cls=GroupedCommand, epilog=EPILOG, short_help="Run a workflow on the swarm.")
@click.argument("name", type=NAME)
@click.argument("text", required=False)
@click.option(
    "--input", "--set", "-i", "pairs", multiple=True, metavar="NAME=VALUE", help="An input; @FILE reads it."
)
@click.option(
    "--repo", metavar="DIR|URL", help="The repository that it is about. [if it needs one: this folder]"
)
@sending_options
@when_options
@click.option("--dry-run", is_flag=True, help="Print the plan and send nothing.")
@click.option("--detach", is_flag=True, help="Print the request's id and do not wait.")
@click.option("--local", is_flag=True, help="Bring up a local swarm for this request alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the result (or the plan) as JSON.")
@connection_flags
@click.pass_context
def run_workflow(
    ctx: click.Context,
    name: str,
    text: str | None,
    pairs: tuple[str, ...],
    repo: str | None,
    options: Options,
    when: WhenOptions,
    dry_run: bool,
    detach: bool,
    local: bool,
    as_json: bool,
) -> int:
    """Run a workflow on the swarm that is there, and print its report.

    NAME is a workflow of `picoclaw workflows list`, or a YAML file. TEXT is the request in words, by
    default the workflow's title. The workflow travels with the request: no node has to know it.
    """
    from ...gateway.asked import Asked, check_repository, check_text
    from ..errors import echo_warning
    from ..session import quiet_logs
    from .folder_files import FolderFiles
    from .given import read_inputs, read_pairs

    loaded = load_settings(ctx)
    template = find_workflow(name, loaded).template
    for what, given in (("the request's text", text or ""), *(("--input", pair) for pair in pairs)):
        check_text(given, what)
    if local and detach:
        raise UsageError("--local and --detach do not go together: the local swarm ends with this command")
    if text is not None and not text.strip():
        raise UsageError(
            "the request is empty: say what is to be done, or leave it out for the workflow's title"
        )
    if repo is None and _about_a_folder(template):
        repo = "."
    if repo is not None:
        check_repository(repo)
    inputs, repositories = read_inputs(template, read_pairs(pairs), FolderFiles(repo or "."))
    if local and options.unroutable is None:
        # Nobody else can join a local swarm: what its worker cannot do would wait for ever.
        options = replace(options, unroutable="fail")
    asked = Asked(
        text=text or template.title or template.name, repo=repo, template=template.name, tell=echo_warning
    )
    asked = options.onto(asked)
    order = _Order(template, asked, inputs, repositories)
    begin = read_when(when)
    if local and begin is not None:
        raise UsageError("--local does it here and now: leave out --at, --in and --cron")
    plan = _planned(order)
    if dry_run:
        return _print_plan(plan, as_json=as_json)
    if isinstance(begin, Recurring):
        return _again_and_again(loaded, order, begin, as_json=as_json)
    quiet_logs(loaded)
    if local:
        return _alone(loaded, order, as_json=as_json)
    return asyncio.run(_run(loaded, order, begin, detach=detach, as_json=as_json))


def _again_and_again(loaded: "Loaded", order: _Order, recurring: Recurring, *, as_json: bool) -> int:
    if order.repositories:
        raise UsageError(
            "--cron and inputs that are repositories do not go together: each time it would be the same old "
            "copy; give the workflow's tasks a URL as a text, or one repository with --repo URL"
        )
    return make_recurring(
        loaded, recurring, order.asked, as_json=as_json, whole=lambda request: _whole(request, order, {})
    )


def _about_a_folder(template: "Template") -> bool:
    return template.match.repository or any(one.type == "files" for one in template.inputs.values())


def _planned(order: _Order) -> "Plan":
    """Return the plan as the coordinator will make it, but for what the repositories are on the wire.

    Raises PlanError before anything is sent.
    """
    from ...roles.planning.plan import make_plan
    from ...roles.planning.validate import validate
    from ...swarm.records import RepositoryRef
    from ...swarm.submission import new_request

    asked = order.asked
    refs = {
        name: [RepositoryRef(label=_label(repo)) for repo in repos]
        for name, repos in order.repositories.items()
    }
    request = new_request(
        asked.text,
        template=asked.template,
        repository=RepositoryRef(label=_label(asked.repo)) if asked.repo is not None else None,
        deadline=asked.deadline,
        unroutable=asked.unroutable,
        max_attempts=asked.max_attempts,
        task_timeout=asked.task_timeout,
        task_deadline=asked.task_deadline,
        retry=asked.retry,
    )
    return validate(make_plan(_whole(request, order, refs), ()))


def _whole(request: "Request", order: _Order, refs: "dict[str, list[RepositoryRef]]") -> "Request":
    """Return the request with the workflow itself and all of its inputs."""
    told = {name: _distinct(repositories) for name, repositories in refs.items()}
    return request.model_copy(
        update={"workflow": order.template.to_json(), "input": {**order.inputs, **told}}
    )


def _distinct(refs: "list[RepositoryRef]") -> "list[JsonValue]":
    """Return their JSON forms; repositories of one name get a number, so that a report can tell them apart."""
    seen: dict[str, int] = {}
    forms: list[JsonValue] = []
    for ref in refs:
        seen[ref.label] = seen.get(ref.label, 0) + 1
        label = ref.label if seen[ref.label] == 1 else f"{ref.label} ({seen[ref.label]})"
        forms.append(ref.model_copy(update={"label": label}).model_dump(mode="json", exclude_none=True))
    return forms


def _label(repo: str) -> str:
    from pathlib import Path

    from ...capabilities.repository.url import is_url

    return repo if is_url(repo) else Path(repo).expanduser().resolve().name or "repository"


def _print_plan(plan: "Plan", *, as_json: bool) -> int:
    if as_json:
        echo_json(plan.model_dump(mode="json", exclude_none=True))
        return 0
    tasks = plan.tasks
    echo(
        f"{len(tasks):,} task{'s' if len(tasks) != 1 else ''}, joined by {safe(plan.join)}; nothing was sent"
    )
    echo_table(
        ("TASK", "NEEDS", "AFTER", "REPOSITORY", "TITLE"),
        [
            (
                task.step,
                task.demand if task.capability is None else f"{task.capability} on {task.demand}",
                _some(task.after),
                safe(task.repository.label) if task.repository is not None else "-",
                safe(task.title),
            )
            for task in tasks
        ],
    )
    return 0


def _some(steps: tuple[str, ...]) -> str:
    return ", ".join(steps[:3]) + (f" and {len(steps) - 3} more" if len(steps) > 3 else "") if steps else "-"


async def _run(loaded: "Loaded", order: _Order, later: Later | None, *, detach: bool, as_json: bool) -> int:
    from ..printing.live import LiveLines
    from ..printing.progress import spinning
    from ..session import open_session

    async with spinning("waiting for the swarm"), open_session(loaded) as swarm:
        await swarm.read_members()
        lines = LiveLines(quiet=as_json or detach)
        if later is not None:
            await later.due(swarm)  # refused before anything is stored
            return await hand_in_later(swarm, await _stored(order, swarm, lines), later, as_json=as_json)
        request, new = await _send(order, swarm, lines)
        if detach:
            echo(json.dumps({"request": request.id, "new": new}) if as_json else request.id)
            return 0
        if not new and not lines.quiet and (begins := await still_later(swarm, request.id)):
            lines.say(begins)
        if not swarm.members.coordinators():
            from ...swarm.views.waiting import waits_in_inbox

            lines.say(safe(waits_in_inbox(swarm.members.successors())))
        return _print_end(await follow(swarm, request.id, lines), request.id, as_json=as_json)


def _alone(loaded: "Loaded", order: _Order, *, as_json: bool) -> int:
    """Run it on a swarm of its own, which nothing outlives."""
    from ..hangup import TERMINATED, stop_as_ctrl_c_does
    from ..local.swarm import local_swarm
    from ..printing.live import LiveLines

    capabilities = _capabilities(loaded)
    lines = LiveLines(quiet=as_json)

    async def run() -> int:
        stop_as_ctrl_c_does()
        lines.say("bringing up a local swarm: nats-server, coordinator, one worker")
        async with local_swarm(capabilities) as local:
            request, _ = await _send(order, local.swarm, lines)
            ended = await follow(local.swarm, request.id, lines, stays=False)
        return _print_end(ended, request.id, as_json=as_json, stays=False)

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        return TERMINATED


def _capabilities(loaded: "Loaded") -> "tuple[Path, ...]":
    """Return the user's definition files; raises ConfigError for one that is wrong."""
    from ...capabilities.definitions.read import read_definitions
    from ...swarm.embedded.rundir import picoclaw_home

    # Named, because the local worker has a home of its own.
    paths = loaded.settings.capabilities.path or (picoclaw_home() / "capabilities",)
    read_definitions(paths)
    return tuple(path for path in paths if path.exists())


async def _send(order: _Order, swarm: "Swarm", lines: "LiveLines") -> "tuple[Request, bool]":
    """Store what goes along and hand the request in; the second is false where its key was sent before."""
    from ...swarm.submission import submit

    request = await _stored(order, swarm, lines)
    new = await submit(swarm, request)
    lines.say(f"request {request.id}" + ("" if new else " (sent before: following it)"))
    return request, new


async def _stored(order: _Order, swarm: "Swarm", lines: "LiveLines") -> "Request":
    """Store what goes along and return the whole request."""
    repo = order.asked.repo
    if repo is not None:
        lines.say(f"sending {safe(repo) if repo != '.' else 'this folder'}")
    request = await order.asked.request(swarm)
    return _whole(request, order, await _store(order, swarm, lines))


def _print_end(ended: "Ended", request_id: str, *, as_json: bool, stays: bool = True) -> int:
    code = print_end(ended, request_id, as_json=as_json, stays=stays)
    if ended.head.state == "done" and ended.head.partial and not as_json:
        what = safe(ended.result.summary, 400) if ended.result is not None else "see the report"
        echo(f"picoclaw: {request_id} done(partial): {what}", err=True)
    return code


async def _store(order: _Order, swarm: "Swarm", lines: "LiveLines") -> "dict[str, list[RepositoryRef]]":
    """Store the repositories that are inputs; raises RepositoryError, and nothing is submitted then."""
    from ...gateway.asked import store_repository
    from ..errors import echo_warning

    several = asyncio.Semaphore(SENDING)
    total = sum(len(repos) for repos in order.repositories.values())
    sent = 0

    async def store(repo: str) -> "RepositoryRef":
        nonlocal sent
        async with several:
            ref = await store_repository(repo, swarm, echo_warning)
        sent += 1
        lines.say(f"sent {safe(_label(repo))} ({sent} of {total})")
        return ref

    stored: dict[str, list[RepositoryRef]] = {}
    for name, repos in order.repositories.items():
        # The same folder twice is packed once.
        tasks: dict[str, asyncio.Task[RepositoryRef]] = {}
        async with asyncio.TaskGroup() as group:
            for repo in repos:
                if repo not in tasks:
                    tasks[repo] = group.create_task(store(repo))
        stored[name] = [tasks[repo].result() for repo in repos]
    return stored
