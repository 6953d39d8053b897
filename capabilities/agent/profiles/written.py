"""A profile as the YAML that a person would write. Pure."""

from typing import Any

from ....config.durations import format_duration
from ..approvals.policy import Rule
from .profile import Profile


def as_yaml(profile: Profile) -> str:
    """Return the text of a file that defines the profile and says nothing that holds anyway."""
    import yaml

    return yaml.safe_dump(as_data(profile), sort_keys=False, allow_unicode=True, width=100)


def as_data(profile: Profile) -> dict[str, Any]:
    """Return the same as data, in the keys of a definition."""
    usual, budget = Profile(name=profile.name), profile.budget
    limits = {
        "usd": budget.usd,
        "tokens": budget.tokens,
        "turns": budget.turns,
        "wall": format_duration(budget.wall) if budget.wall is not None else None,
        "on_breach": budget.on_breach if budget.on_breach != usual.budget.on_breach else None,
    }
    policy: dict[str, Any] = {}
    if profile.policy.default != usual.policy.default:
        policy["default"] = profile.policy.default
    for decision in ("deny", "ask", "allow"):
        if rules := [_rule(rule) for rule in profile.policy.rules if rule.decision == decision]:
            policy[decision] = rules
    data: dict[str, Any] = {
        "name": profile.name,
        "description": profile.description,
        "model": list(profile.models) if len(profile.models) != 1 else profile.models[0],
        "system": profile.system,
        "tools": list(profile.tools) if profile.tools is not None else None,
        "skills": list(profile.skills),
        "mcp": list(profile.mcp),
        "capabilities": list(profile.capabilities),
        "budget": {key: value for key, value in limits.items() if value is not None},
        "policy": policy,
        "max_tokens": profile.max_tokens if profile.max_tokens != usual.max_tokens else None,
    }
    return {key: value for key, value in data.items() if value not in (None, "", [], {})}


def _rule(rule: Rule) -> str:
    return rule.tool if rule.what is None else f"{rule.tool}: {rule.what}"
