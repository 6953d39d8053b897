"""The deployment files as tests read them: what they tell nodes, as nodes take it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from click import Command, Context

from picoclaw.cli.root import picoclaw
from picoclaw.config.keys import BY_ENV, ENV_PREFIX
from picoclaw.config.load import Loaded, load

ROOT = Path(__file__).resolve().parents[2]


def documents(text: str) -> list[dict[str, Any]]:
    """Every YAML document of a text, anchors and merges resolved."""
    return [document for document in yaml.safe_load_all(text) if document is not None]


def load_as_node(environment: Mapping[str, str], home: Path) -> Loaded:
    """What a node makes of that environment: each name is a setting's, each value is taken without a word.

    A file that is mounted into the container stands for itself under `home`.
    """
    strangers = [name for name in environment if name.startswith(ENV_PREFIX) and name not in BY_ENV]
    assert strangers == [], "no settings"
    told = dict(environment)
    for name, value in environment.items():
        if BY_ENV.get(name) is not None and BY_ENV[name].kind == "path" and value:
            mounted = home / value.lstrip("/")
            mounted.parent.mkdir(parents=True, exist_ok=True)
            mounted.touch()
            told[name] = str(mounted)
    loaded = load({}, told, file=None, home=home)
    assert loaded.warnings == ()
    return loaded


def check_command(argv: Sequence[str]) -> None:
    """Assert that an argv is one of `picoclaw`, a verb of it, and options that this verb has."""
    program, *args = argv
    assert program == "picoclaw"
    context = Context(picoclaw, info_name="picoclaw")
    command: Command = picoclaw
    if args:
        _, found, args = picoclaw.resolve_command(context, args)
        assert found is not None
        command = found
    # Parses as the command line does; raises click.UsageError for an unknown option.
    command.make_context(argv[1] if len(argv) > 1 else "picoclaw", list(args))
    assert not any(re.search(r"\s", arg) for arg in argv), "podman's API splits arguments at spaces"


def seconds(duration: str) -> float:
    """The seconds of a compose duration such as `1m30s`."""
    parts = re.findall(r"(\d+)(ms|s|m|h)", duration)
    assert "".join(n + u for n, u in parts) == duration, duration
    return sum(float(n) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[u] for n, u in parts)
