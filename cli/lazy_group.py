"""A click group whose verbs are imported only when one is called."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from .flags import TITLES, SettingOption, plain_switches
from .verbs import Verb

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """A group over a table of verbs; its help is made from the table alone."""

    def __init__(self, *args: Any, verbs: Mapping[str, Verb], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = self.verbs.get(cmd_name)
        if verb is None:
            return None
        module = f"{self.package}.{verb.module}"
        try:
            command = getattr(import_module(module), verb.attribute)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise click.UsageError(f"{cmd_name} is not part of this installation", ctx) from None
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.verbs and not ctx.resilient_parsing and not name.startswith("-"):
            from ..config.spelling import did_you_mean  # difflib, which only a mistake needs

            hint = did_you_mean(name, self.verbs)
            if name.lower() in ("true", "false", "yes", "no", "on", "off"):
                hint = ": a switch takes its value after =, as in --swarm.enabled=false"
            raise click.UsageError(f"unknown verb {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if ctx.resilient_parsing else plain_switches(args))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                title = TITLES[param.key.group] if isinstance(param, SettingOption) else "Options"
                sections.setdefault(title, []).append(record)
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list["CompletionItem"]:
        from click.shell_completion import CompletionItem

        verbs = [
            CompletionItem(name, help=verb.help)
            for name, verb in self.verbs.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)
