"""cli.md: the help of every verb, as click prints it at 80 columns."""

from collections.abc import Iterator

import click

from picoclaw.cli.root import picoclaw

from .config_reference import NOTE

WIDTH = 80

INTRO = f"""\
# Command line

{NOTE}

What `--help` of each verb prints. Node flags may stand before a verb; those that say how the swarm is
reached may stand after it too. Ids may be shortened to any beginning that fits no other.

| exit code | when |
|---|---|
| 0 | done |
| 1 | it failed, or the swarm refused or could not answer |
| 2 | wrong usage or a wrong setting: nothing was changed |
| 3 | no usable connection to NATS |
| 4 | `result`: it has not ended yet |
| 130 | Ctrl-C |

A verb that gives these codes another meaning says so in its help.
"""


def cli_reference() -> str:
    """Return the text of cli.md."""
    context = _context(picoclaw, "picoclaw", None)
    return "\n".join([INTRO, *_sections(picoclaw, context)]).rstrip() + "\n"


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    path = context.command_path
    yield f"{'#' * min(2 + path.count(' '), 4)} {path}"
    yield ""
    yield "```text"
    yield command.get_help(context).rstrip()
    yield "```"
    yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _sections(inner, _context(inner, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    names = command.context_settings.get("help_option_names")
    return click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, help_option_names=names
    )
