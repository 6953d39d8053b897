"""Wanted: whether a machine lets coding CLIs be its agents."""

from ...told import Told
from ..approvals.policy import Policy
from ..profiles.known import policy_path
from ..profiles.read import read_policy


def refusal(told: Told) -> str:
    """Return in words why this machine serves none; empty: it does. Raises ConfigError for a policy that is wrong."""
    wanted = told.settings.agents.programs
    if wanted == "none":
        return "is switched off here: agents.programs is none"
    path = policy_path(told)
    if wanted == "auto" and path is not None and is_strict(read_policy(path)):
        return f"does not keep the rules of {path}: set agents.programs to always to serve it all the same"
    return ""


def is_strict(policy: Policy) -> bool:
    """Return whether a policy forbids anything, or asks. Pure."""
    return policy.default != "allow" or any(rule.decision != "allow" for rule in policy.rules)
