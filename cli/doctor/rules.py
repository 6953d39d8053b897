"""Rules of policies: those for tools that nobody has, which fit nothing, and nobody would know."""

from fnmatch import fnmatchcase

from ...capabilities.told import Told
from ...swarm.checks.row import Row, warning


def rule_rows(told: Told) -> list[Row]:
    """Check the rules of this machine's agents and of its policy. Raises ConfigError for a file that is wrong."""
    from ...capabilities.agent.profiles.known import known_profiles, policy_path
    from ...capabilities.agent.profiles.read import read_policy
    from ...capabilities.agent.tools.toolbox import known_tools
    from ...config.spelling import nearest_word

    path, known = policy_path(told), known_tools()
    held = [(str(path), read_policy(path))] if path is not None else []
    held += [(profile.place, profile.policy) for profile in known_profiles(told)]
    rows = []
    for place, policy in held:
        for rule in policy.rules:
            if rule.tool.startswith("mcp__") or any(fnmatchcase(tool, rule.tool) for tool in known):
                continue
            near = nearest_word(rule.tool, known)
            fix = (
                f"write {near} in its place" if near else f"name one of {', '.join(known)}, mcp__SERVER__TOOL"
            )
            rows.append(warning("policy", f"{place}: `{rule}` fits no tool, and has no effect", fix))
    return rows
