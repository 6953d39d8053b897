"""Agents: profiles of the user's files, of the registry and of picoclaw, each on its own lane."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..executor import Executor
from ..told import Told

LAST = True
"""A capability that something without a model serves stays with it."""


def executors(_: Sequence[Path], told: Told) -> tuple[Executor, ...]:
    """Return one executor for each agent. Raises ConfigError for a file that is wrong."""
    from ..agent.profiles.known import known_profiles
    from ..agent.served import ProfileExecutor
    from ..agent.skills.adverts import SkillAdverts

    adverts = SkillAdverts(told.settings, os.environ)
    return tuple(ProfileExecutor(profile, told, adverts) for profile in known_profiles(told))
