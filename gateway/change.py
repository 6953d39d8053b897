"""A request that is about what changed since a commit, worked out here before anything is sent."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..capabilities.change import Change
    from .asked import Asked


def limit_to_change(asked: "Asked", base: str) -> "tuple[Asked, Change]":
    """Return the request with the lines that changed since `base`; blocking.

    Raises UsageError for a base that is none, or a request without a repository, and RepositoryError
    when there is nothing to compare with.
    """
    from ..capabilities.change import INPUT
    from ..capabilities.repository.diff import check_base, read_change

    check_base(base)
    if asked.repo is None:
        raise UsageError("--diff needs a repository: add --repo DIR, or --repo URL")
    if INPUT in asked.input:
        raise UsageError(f"--diff and --input {INPUT} do not go together: leave one out")
    change = read_change(asked.repo, base)
    carried = change.model_dump(mode="json", exclude_defaults=True)
    return replace(asked, input={**asked.input, INPUT: carried}), change
