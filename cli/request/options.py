"""The options of every verb that sends a request, declared and read in one place."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from ...errors import UsageError

if TYPE_CHECKING:
    from ...gateway.asked import Asked
    from ...swarm.submission import Unroutable

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a request is to be sent and carried, as it was typed."""

    priority: str = "normal"
    timeout: str | None = None
    task_timeout: str | None = None
    task_deadline: str | None = None
    unroutable: "Unroutable | None" = None
    max_attempts: int | None = None
    retry_delay: str | None = None
    retry_longest: str | None = None
    final: tuple[str, ...] = ()
    plan: 'Literal["model"] | None' = None
    key: str | None = None
    budget_usd: str | None = None
    budget_tokens: str | None = None
    budget_turns: str | None = None
    on_breach: str | None = None

    def onto(self, asked: "Asked") -> "Asked":
        """Return what is asked with these options. Raises UsageError; nothing was sent."""
        from ...gateway.retry_policy import retry_of
        from .asked import read_priority
        from .budget import read_budget

        if self.key is not None and not self.key.strip():
            raise UsageError("--key is empty: give each request a key of its own, or leave it out")
        if self.plan is not None and (asked.demand is not None or asked.template is not None):
            raise UsageError(
                "--plan model is for a request in words: leave out --capability, --node, --agent and --template"
            )
        return replace(
            asked,
            plan=self.plan,
            priority=read_priority(self.priority),
            deadline=_limit(self.timeout, "--timeout"),
            task_timeout=_limit(self.task_timeout, "--task-timeout"),
            task_deadline=_limit(self.task_deadline, "--task-deadline"),
            unroutable=self.unroutable,
            max_attempts=self.max_attempts,
            retry=retry_of(
                delay=_pause(self.retry_delay, "--retry-delay"),
                longest=_pause(self.retry_longest, "--retry-longest"),
                final=self.final,
            ),
            key=self.key,
            budget=read_budget(self.budget_usd, self.budget_tokens, self.budget_turns, self.on_breach),
        )


def sending_options(command: Command) -> Command:
    """Add the options that all sending verbs share; the command gets them as one argument `options`."""

    @functools.wraps(command)
    def with_options(*args: Any, **kwargs: Any) -> Any:
        told = {name: kwargs.pop(name) for name in Options.__slots__}
        return command(*args, options=Options(**told), **kwargs)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options  # type: ignore[return-value]  # it takes what click declares, and gives it on


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--priority",
        "-p",
        metavar="LEVEL",
        default="normal",
        show_default=True,
        help="low, normal, high, critical (0-3).",
    ),
    click.option("--timeout", metavar="DURATION", help="The request ends failed after this time."),
    click.option("--task-timeout", metavar="DURATION", help="Each attempt of a task ends after this time."),
    click.option(
        "--task-deadline", metavar="DURATION", help="Each task ends failed so long after its release."
    ),
    click.option(
        "--unroutable",
        type=click.Choice(["wait", "fail", "skip", "local"]),
        help="What to do while no node serves a task. [wait, or as the workflow says]",
    ),
    click.option("--max-attempts", type=click.IntRange(1, 100), metavar="N", help="Tries of each task. [3]"),
    click.option(
        "--retry-delay", metavar="DURATION", help="Pause before the second try; it doubles from then on. [1s]"
    ),
    click.option("--retry-longest", metavar="DURATION", help="The longest such pause. [5m]"),
    click.option(
        "--final",
        multiple=True,
        metavar="PATTERN",
        help="An error that ends a task at once (* and ? fit all).",
    ),
    click.option(
        "--plan",
        type=click.Choice(["model"]),
        help="Let the coordinator's model plan it, whatever workflow matches.",
    ),
    click.option("--key", metavar="KEY", help="Idempotency key: sending twice is sending once."),
    click.option("--budget-usd", metavar="USD", help="What its agents may spend, all together."),
    click.option("--budget-tokens", metavar="N", help="Tokens that its agents may use, such as 200k."),
    click.option("--budget-turns", metavar="N", help="Questions that its agents may ask their models."),
    click.option(
        "--on-breach",
        type=click.Choice(["wrap_up", "ask"]),
        help="When a budget is spent: end with a partial result, or ask. [wrap_up]",
    ),
)


def _limit(text: str | None, flag: str) -> timedelta | None:
    from .asked import read_timeout

    return read_timeout(text, flag) if text is not None else None


def _pause(text: str | None, flag: str) -> timedelta | None:
    """Return a pause, which may be none at all; raises UsageError, which names the flag."""
    from ...config.durations import parse_duration
    from ...errors import ConfigError

    if text is None:
        return None
    if text.strip() == "0":
        return timedelta(0)
    try:
        return parse_duration(text)
    except ConfigError as error:
        raise UsageError(f"{flag}: {error}") from None
