"""The settings as flags of a click command, declared from the one table of keys."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ..config.keys import BY_FLAG, KEYS, Group, Key
from ..errors import ConfigError
from .errors import echo_warning

if TYPE_CHECKING:
    from pathlib import Path

    from ..config.load import Loaded

F = TypeVar("F", bound=Callable[..., Any])

_GIVEN = "picoclaw.flags"
_FILE = "picoclaw.config_file"

_USUAL = frozenset({"swarm.hid", "swarm.nats.urls", "swarm.nats.embedded", "swarm.nats.credentials"})

TITLES: dict[Group, str] = {
    "node": "Node",
    "connection": "Connection",
    "llm": "Models",
    "files": "Files",
    "log": "Log",
}


class SettingOption(click.Option):
    """A flag of the table; help shows the guide's spelling only."""

    def __init__(self, key: Key, *, hidden: bool = False) -> None:
        switch = key.kind == "bool"
        spellings = [f"{flag}/--no-{flag[2:]}" if switch else flag for flag in key.flags]
        super().__init__(
            [key.name.replace(".", "__"), *spellings],
            default=None,
            type=None if switch else click.UNPROCESSED,
            is_flag=True if switch else None,
            multiple=key.is_list,
            metavar=key.metavar,
            help=key.help,
            hidden=hidden,
            expose_value=False,
            callback=self._note,
        )
        self.key = key

    def _note(self, ctx: click.Context, param: click.Parameter, value: object) -> None:
        if ctx.get_parameter_source(param.name or "") is not ParameterSource.COMMANDLINE:
            return
        if self.key.is_list and isinstance(value, tuple):
            value = ",".join(value)
        given_flags(ctx)[self.key.name] = value

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        if self.hidden:
            return None
        metavar = self.key.metavar
        return (f"{self.key.flag} {metavar}" if metavar else self.key.flag), self.key.help

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(choice) for choice in self.key.choices if choice.startswith(incomplete)]


def node_flags(command: F) -> F:
    """Declare every setting, and `--config`, on a click command; of the models', help shows the first."""
    options = [SettingOption(key, hidden=_is_further_llm(key)) for key in KEYS.values()]
    return _declare(command, options)


def connection_flags(command: F) -> F:
    """Declare the settings that a verb needs to find its swarm, `--config` and the log's.

    They may stand before the verb as well; what stands after it wins. Help of the verb shows the
    usual ones; that of `picoclaw` shows all.
    """
    keys = (key for key in KEYS.values() if key.group != "node")
    return _declare(command, [SettingOption(key, hidden=key.name not in _USUAL) for key in keys])


def all_flags(command: F) -> F:
    """Declare every setting on a verb that asks what a node's command line means; help shows none."""
    return _declare(command, [SettingOption(key, hidden=True) for key in KEYS.values()])


def _is_further_llm(key: Key) -> bool:
    return key.group == "llm" and key.name != "llm.model"


def given_flags(ctx: click.Context) -> dict[str, object]:
    """Return the settings given on the command line so far, before and after the verb, by key."""
    given: dict[str, object] = ctx.meta.setdefault(_GIVEN, {})
    return given


def config_file(ctx: click.Context) -> "Path | None":
    """Return the file of `--config`; None where it was not given."""
    from pathlib import Path

    file = ctx.meta.get(_FILE)
    return Path(file) if file is not None else None


def load_settings(ctx: click.Context, *, quiet: bool = False) -> "Loaded":
    """Merge the flags with environment and file, and print what its reader should know.

    `quiet` leaves the warnings to the caller, as a node does, which logs them. Raises ConfigError.
    """
    import os

    from ..config.home import home_folder
    from ..config.load import load

    loaded = load(given_flags(ctx), os.environ, file=config_file(ctx), home=home_folder())
    if not quiet:
        echo_warnings(loaded)
    return loaded


def echo_warnings(loaded: "Loaded") -> None:
    """Print the warnings on stderr, but for those that only concern a node."""
    for warning in loaded.warnings:
        if "emporal" not in warning:
            echo_warning(warning)


def plain_switches(args: Sequence[str]) -> list[str]:
    """Rewrite `--switch=VALUE` of the table's switches to `--switch` or `--no-switch`, up to `--`.

    click's own optional values would swallow the verb after `--swarm.nats.embedded`. Raises
    ConfigError for a value that is neither yes nor no.
    """
    plain: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            return [*plain, arg, *rest]
        flag, equals, value = arg.partition("=")
        key = BY_FLAG.get(flag) if equals else None
        if key is not None and key.kind == "bool":
            arg = flag if _switch_value(key, flag, value) else f"--no-{flag[2:]}"
        plain.append(arg)
    return plain


def _switch_value(key: Key, flag: str, value: str) -> bool:
    from ..config.values import parse_bool

    try:
        return parse_bool(value)
    except ConfigError as error:
        raise ConfigError(f"{key.name} (flag {flag}): {error}") from None


def _declare(command: F, settings: Sequence[click.Option]) -> F:
    options = [_config_option(), *settings]
    if isinstance(command, click.Command):
        command.params.extend(options)
        return command
    # The list that click's own decorators fill, last first.
    params: list[click.Parameter] = getattr(command, "__click_params__", [])
    params.extend(reversed(options))
    command.__click_params__ = params  # type: ignore[attr-defined]
    return command


def _config_option() -> click.Option:
    def note(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta[_FILE] = value

    return click.Option(
        ["--config"],
        type=click.UNPROCESSED,
        metavar="FILE",
        help="Settings in YAML (~/.picoclaw/config.yaml).",
        expose_value=False,
        callback=note,
    )
