"""Coding CLIs: programs of others that are agents by themselves; an agent of the user's of the same name goes before."""

from collections.abc import Sequence
from pathlib import Path

from ..executor import Executor
from ..told import Told


def executors(_: Sequence[Path], told: Told) -> tuple[Executor, ...]:
    """Return one executor for each CLI that picoclaw knows, installed or not. Raises ConfigError for a policy
    that is wrong."""
    from ..agent.coding.known import KNOWN
    from ..agent.coding.served import CodingExecutor
    from ..agent.coding.wanted import refusal

    why = refusal(told)
    return tuple(CodingExecutor(cli, why) for cli in KNOWN)
