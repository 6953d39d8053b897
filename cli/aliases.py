"""A click group whose commands have other names as well, and whose mistakes name the nearest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class AliasGroup(click.Group):
    """A group over its commands; `aliases` maps further names to theirs.

    `otherwise` is the command that takes a first argument which is no command's name.
    """

    def __init__(
        self, *args: Any, aliases: Mapping[str, str], otherwise: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.aliases = aliases
        self.otherwise = otherwise

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, self.aliases.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        if self.otherwise is not None and not any(_is_word(arg) for arg in args[1:2]):
            return self.otherwise, super().get_command(ctx, self.otherwise), args
        if ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from ..config.spelling import did_you_mean

        kinds = [name for name, command in self.commands.items() if not command.hidden]
        hint = did_you_mean(name, [*kinds, *self.aliases])
        if name.startswith("r-"):
            hint = f"; did you mean `picoclaw describe {name}`?"
        raise click.UsageError(f"{name!r} is none of: {', '.join(kinds)}{hint}", ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        found = super().shell_complete(ctx, incomplete)
        if self.otherwise is not None and not incomplete.startswith("-"):
            first = self.commands[self.otherwise].params[0]
            found += first.shell_complete(ctx, incomplete)
        return found


def _is_word(arg: str) -> bool:
    return not arg.startswith("-")
