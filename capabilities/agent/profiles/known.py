"""The agents that a node knows: its own files before the registry, that before picoclaw's own; each held to
the node's policy."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ....swarm.agents.record import AgentRecord
from ...told import Told
from ..approvals.policy import Policy
from .built_in import BUILT_IN
from .profile import Profile
from .read import read_policy, read_profiles
from .registered import from_record

FOLDER = "agents"
POLICY = "policy.yaml"


def profile_paths(told: Told) -> tuple[Path, ...]:
    """Return where a node's profiles lie; none without a home or a setting."""
    usual = (told.home / FOLDER,) if told.home is not None else ()
    return told.settings.agents.path or usual


def policy_path(told: Told) -> Path | None:
    """Return the file of the node's own policy; None: it has none."""
    if told.settings.agents.policy is not None:
        return told.settings.agents.policy
    usual = told.home / POLICY if told.home is not None else None
    return usual if usual is not None and usual.exists() else None


def known_profiles(told: Told) -> tuple[Profile, ...]:
    """Return every agent that the node knows, by name. Raises ConfigError for a file that is wrong."""
    own = read_profiles(profile_paths(told))
    path = policy_path(told)
    return combine(own, told.registered, read_policy(path) if path is not None else None)


def combine(
    own: Sequence[Profile], registered: Sequence[AgentRecord], policy: Policy | None
) -> tuple[Profile, ...]:
    """Return the agents by name, each as the nearest source has it and as the node's policy allows it."""
    found = {profile.name: profile for profile in BUILT_IN}
    found |= {record.name: from_record(record) for record in registered}
    found |= {profile.name: profile for profile in own}
    agents = [found[name] for name in sorted(found)]
    if policy is None:
        return tuple(agents)
    return tuple(
        replace(profile, policy=replace(profile.policy, also=(*profile.policy.also, policy)))
        for profile in agents
    )
