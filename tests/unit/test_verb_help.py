"""Each verb, and each verb of a verb, says by example how it is used and with which codes it ends."""

from collections.abc import Iterator

import click
import pytest

from picoclaw.cli.root import picoclaw

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def verbs(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in command.list_commands(ctx) if isinstance(command, click.Group) else ():
        found = command.get_command(ctx, name)  # type: ignore[attr-defined]
        if found.hidden:
            continue
        below = click.Context(found, info_name=name, parent=ctx)
        yield below.command_path, found, below
        yield from verbs(found, below)


def test_examples_and_exit_codes_of_each() -> None:
    root = click.Context(picoclaw, info_name="picoclaw", terminal_width=80)
    helps = {path: command.get_help(ctx) for path, command, ctx in verbs(picoclaw, root)}

    assert {"picoclaw get lanes", "picoclaw dlq show", "picoclaw watch", "picoclaw logs"} <= set(helps)
    lacking = {
        path: [word for word in ("Examples:", "Exit codes:", "picoclaw ") if word not in text]
        for path, text in helps.items()
    }
    assert {path: words for path, words in lacking.items() if words} == {}
    wide = {path: [line for line in text.splitlines() if len(line) > 80] for path, text in helps.items()}
    assert {path: lines for path, lines in wide.items() if lines} == {}
