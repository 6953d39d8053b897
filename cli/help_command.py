"""`picoclaw help [VERB]`: what `--help` prints."""

import click

from .printing.output import echo

EPILOG = """\b
Examples:
  picoclaw help
  picoclaw help dispatch
  picoclaw help get nodes

\b
Exit codes: 0 done, 2 no such verb.
"""


@click.command("help", epilog=EPILOG)
@click.argument("verb", nargs=-1)
@click.pass_context
def help_verb(ctx: click.Context, verb: tuple[str, ...]) -> int:
    """Print the help of PicoClaw, or of one verb."""
    assert ctx.parent is not None
    at, command = ctx.parent, ctx.parent.command
    for name in verb:
        if not isinstance(command, click.Group):
            raise click.UsageError(f"{at.command_path} has no verbs of its own, so no {name!r}", at)
        _, found, _ = command.resolve_command(at, [name])
        if found is None or (found.name != name and found.hidden):
            raise click.UsageError(f"{name!r} is no verb of {at.command_path}", at)
        at, command = click.Context(found, info_name=name, parent=at), found
        at.max_content_width = ctx.parent.max_content_width
    echo(command.get_help(at))
    return 0
