"""What a command line asks of the swarm, checked before a connection is made."""

from datetime import timedelta
from typing import TYPE_CHECKING

from ...errors import ConfigError, UsageError
from ...gateway.asked import HERE, Asked, check_repository, check_text, means_this_folder
from ..errors import echo_warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ...roles.planning.template import Template

PRIORITIES = {"low": 0, "normal": 1, "high": 2, "critical": 3}


def shipped() -> "Iterable[Template]":
    """Return the workflows that come with the package."""
    from ...roles.planning.template import shipped_templates

    return shipped_templates()


def read_asked(
    text: str,
    *,
    capability: str | None = None,
    repo: str | None = None,
    template: str | None = None,
    node: str | None = None,
    labels: "Sequence[str]" = (),
    inputs: "Sequence[str]" = (),
    known: "Callable[[], Iterable[Template]]" = shipped,
) -> Asked:
    """Return what is asked; a review of "this repository" without `repo` means this folder.

    `known`: the workflows that may be meant, asked for only where it matters. Raises UsageError, NameRefused, PlanError or RepositoryError; nothing was sent.
    """
    from .text_and_input import read_input
    from .this_folder import goes_along

    if not text.strip():
        raise UsageError("the request is empty: say what is to be done")
    for what, given in (("the request's text", text), ("--template", template or "")):
        check_text(given, what)
    demand, does = read_demand(capability, node, labels)
    if repo is None and demand is None and means_this_folder(text, known(), template):
        goes_along(needed=True)
        repo = HERE
    if repo is not None:
        check_repository(repo)
    return Asked(
        text=text,
        demand=demand,
        capability=does,
        repo=repo,
        template=template,
        input=read_input(inputs),
        tell=echo_warning,
    )


def read_demand(
    capability: str | None, node: str | None, labels: "Sequence[str]"
) -> tuple[str | None, str | None]:
    """Return the demand that --capability, --node and --label make, and what is to be done at a node.

    Raises UsageError, NameRefused or PlanError for those that do not go together.
    """
    from ...config.names import check_label
    from ...gateway.demanded import demand_of

    wanted: dict[str, str] = {}
    for part in labels:
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"--label {part!r} is not KEY=VALUE: write for example --label region=us")
        key, value = check_label(key, value)
        if wanted.setdefault(key, value) != value:
            raise UsageError(f"--label {key} is given twice, and no node has both values: leave one out")
    return demand_of(capability, node, wanted)


def read_priority(text: str) -> int:
    """Return a priority by name or number; raises UsageError."""
    if text in PRIORITIES:
        return PRIORITIES[text]
    if text in ("0", "1", "2", "3"):
        return int(text)
    raise UsageError(f"--priority {text!r} is none: use low, normal, high or critical (0 to 3)")


def read_timeout(text: str, flag: str = "--timeout") -> timedelta:
    """Return a time limit above zero; raises UsageError, which names the flag."""
    from ...config.durations import parse_duration

    try:
        limit = parse_duration(text)
    except ConfigError as error:
        raise UsageError(f"{flag}: {error}") from None
    if limit <= timedelta(0):
        raise UsageError(f"{flag} must be above zero: write for example 10m")
    return limit
