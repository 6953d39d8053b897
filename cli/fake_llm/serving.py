"""`picoclaw fake-llm serve`."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import ModelRefused, UsageError
from ..flags import load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_line, safe
from ..request.typed_path import typed_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...capabilities.agent.fake_llm.app import Playing
    from ...config.settings import LlmSettings

EPILOG = """\b
Examples:
  picoclaw fake-llm serve
  picoclaw fake-llm serve --script talk.yaml --port 8099
  picoclaw fake-llm serve --script talk.yaml --port-file port --json
  picoclaw fake-llm serve --record openai/gpt-5.5 --cassette talk.jsonl
  picoclaw fake-llm serve --cassette talk.jsonl

\b
In another terminal, the printed lines and then, for example:
  picoclaw run "What is in this folder?"

\b
Exit codes: 0 ended by Ctrl-C or a signal, 2 wrong usage, a wrong script, or
a port that is taken.
"""


@click.command(epilog=EPILOG, short_help="Answer as a model would, by a script.")
@click.option("--script", metavar="FILE", help="What to answer, in YAML. [default: a sensible agent]")
@click.option("--cassette", metavar="FILE", help="Answer what was recorded there.")
@click.option("--record", metavar="MODEL", help="Ask this real model, and record it in --cassette.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Listen there. [default: a free one]",
)
@click.option("--port-file", metavar="FILE", help="Write the port there, once it listens.")
@json_flag
@click.pass_context
def serve(
    ctx: click.Context,
    script: str | None,
    cassette: str | None,
    record: str | None,
    port: int,
    port_file: str | None,
    as_json: bool,
) -> int:
    """Answer questions to models by a script, on this machine only, until Ctrl-C.

    It prints the lines that make a swarm ask it. GET /_calls tells what it was asked. With --record,
    questions go on to a real model, with this terminal's keys and settings, and cost what they cost.

    \b
    --json: one line, once it listens: an object with port, script, environment.
    """
    if script is not None and cassette is not None:
        raise UsageError("--script and --cassette do not go together: give one")
    if record is not None and cassette is None:
        raise UsageError("--record wants a file to record to: add --cassette FILE")
    _check_installed()
    target = typed_path(port_file) if port_file is not None else None
    if cassette is None:
        return asyncio.run(_serve(lambda: _by_script(script), port, target, as_json))
    path = typed_path(cassette)
    if record is None:
        return asyncio.run(_serve(lambda: _by_cassette(path), port, target, as_json))
    settings = load_settings(ctx).settings.llm
    return asyncio.run(_serve(lambda: _by_model(record, path, settings), port, target, as_json))


def _check_installed() -> None:
    try:
        from ...capabilities.agent.fake_llm import server  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError(
            f"fake-llm needs {error.name}, which is not installed: pip install 'picoclaw-swarm[agent]'"
        ) from None


def _by_script(script: str | None) -> "Playing":
    from ...capabilities.agent.fake_llm.app import Playing
    from ...capabilities.agent.fake_llm.script_file import default_script, load_script

    read = default_script() if script is None else load_script(typed_path(script))
    return Playing(script=read, named=script or "the script that comes with picoclaw")


def _by_cassette(path: Path) -> "Playing":
    from ...capabilities.agent.fake_llm.app import Playing
    from ...capabilities.agent.fake_llm.script import Script
    from ...capabilities.agent.models.cassette import CassetteClient, read_cassette

    try:
        read_cassette(path)
    except ModelRefused as error:
        raise UsageError(str(error)) from None
    return Playing(
        script=Script(rules=()),
        named=f"cassette {path}",
        models=CassetteClient(path),
        model=f"cassette/{path}",
    )


def _by_model(model: str, path: Path, settings: "LlmSettings") -> "Playing":
    from ...capabilities.agent.fake_llm.app import Playing
    from ...capabilities.agent.fake_llm.script import Script
    from ...capabilities.agent.models.cassette import RecordingClient
    from ...capabilities.agent.models.connect import connect_models
    from ...capabilities.agent.models.named import readiness
    from ...capabilities.agent.models.providers import PROVIDERS

    found = readiness(model, settings, os.environ)
    if not found.ready:
        raise UsageError(found.why)
    keys = {os.environ.get(key, "") for provider in PROVIDERS.values() for key in provider.keys}
    try:
        # Whoever asks this server retries; a second layer here would multiply the questions that are paid for.
        once = replace(settings, retries=0)
        asked = RecordingClient(connect_models(once), path, secrets=keys)
    except ModelRefused as error:
        raise UsageError(str(error)) from None
    return Playing(script=Script(rules=()), named=f"{model}, recorded in {path}", models=asked, model=model)


async def _serve(
    open_playing: "Callable[[], Playing]", port: int, port_file: Path | None, as_json: bool
) -> int:
    from ...capabilities.agent.fake_llm.server import serving

    playing = open_playing()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:  # as under nohup
            continue
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(playing, port=port) as found:
        if port_file is not None:
            _write(port_file, found)
        environment = environment_of(found)
        if as_json:
            echo_line({"port": found, "script": playing.named, "environment": environment})
        else:
            for name, value in environment.items():
                echo(f"export {name}={value}")
            echo(
                f"answering on port {found} by {safe(playing.named)}; Ctrl-C ends it. It was asked: "
                f"curl -s http://127.0.0.1:{found}/_calls",
                err=True,
            )
        await stop.wait()
        _remove(port_file)
    if playing.models is not None:
        await playing.models.close()
    total = playing.ledger.total
    echo(f"{total} question{'s' * (total != 1)}, {playing.ledger.billed} of them answered", err=True)
    return 0


def environment_of(port: int) -> dict[str, str]:
    """Return the variables that make a swarm ask the server at that port."""
    return {
        "PICOCLAW_LLM_MODEL": "anthropic/fake",
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
        "ANTHROPIC_API_KEY": "fake",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_API_KEY": "fake",
    }


def _write(path: Path, port: int) -> None:
    """Write the file in one go: whoever waits for it never reads half a number."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{port}\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written ({error.strerror}): name another --port-file") from None


def _remove(path: Path | None) -> None:
    """Take the port's file away: whoever waits for it the next time must not read an old port."""
    if path is not None:
        path.unlink(missing_ok=True)
