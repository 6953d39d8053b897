"""`picoclaw fake-llm serve`."""

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..printing.formats import json_flag
from ..printing.output import echo, echo_line, safe
from ..request.typed_path import typed_path

if TYPE_CHECKING:
    from ...capabilities.agent.fake_llm.app import Playing

EPILOG = """\b
Examples:
  picoclaw fake-llm serve
  picoclaw fake-llm serve --script talk.yaml --port 8099
  picoclaw fake-llm serve --script talk.yaml --port-file port --json

\b
In another terminal, the printed lines and then, for example:
  picoclaw run "What is in this folder?" -c general

\b
Exit codes: 0 ended by Ctrl-C or a signal, 2 wrong usage, a wrong script, or
a port that is taken.
"""


@click.command(epilog=EPILOG, short_help="Answer as a model would, by a script.")
@click.option("--script", metavar="FILE", help="What to answer, in YAML. [default: a sensible agent]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Listen there. [default: a free one]",
)
@click.option("--port-file", metavar="FILE", help="Write the port there, once it listens.")
@json_flag
def serve(script: str | None, port: int, port_file: str | None, as_json: bool) -> int:
    """Answer questions to models by a script, on this machine only, until Ctrl-C.

    It prints the lines that make a swarm ask it. GET /_calls tells what it was asked.

    \b
    --json: one line, once it listens: an object with port, script, environment.
    """
    playing = _playing(script)
    target = typed_path(port_file) if port_file is not None else None
    return asyncio.run(_serve(playing, port, target, as_json))


def _playing(script: str | None) -> "Playing":
    from ...capabilities.agent.fake_llm.script_file import default_script, load_script

    read = default_script() if script is None else load_script(typed_path(script))
    try:
        from ...capabilities.agent.fake_llm.app import Playing
    except ModuleNotFoundError as error:
        raise UsageError(
            f"fake-llm needs {error.name}, which is not installed: pip install 'picoclaw-swarm[agent]'"
        ) from None
    return Playing(script=read, named=script or "the script that comes with picoclaw")


async def _serve(playing: "Playing", port: int, port_file: Path | None, as_json: bool) -> int:
    from ...capabilities.agent.fake_llm.server import serving

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
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
