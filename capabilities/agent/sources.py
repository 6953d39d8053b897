"""Sources: every kind of tool that lives as long as one job."""

from .tools.toolbox import Kit, ToolSource


def sources(kit: Kit) -> tuple[ToolSource, ...]:
    """Return the sources that an agent's profile asks for; others are not even loaded."""
    found: list[ToolSource] = []
    if kit.profile.mcp:
        from .mcp.source import McpSource

        found.append(McpSource())
    if kit.profile.skills or kit.settings.skills.from_repository:
        from .skills.tool import SkillSource

        found.append(SkillSource())
    return tuple(found)
