"""The tools of the code review: which are here, and which could be."""

from ...swarm.checks.row import Row, ok, warning


def tool_rows() -> list[Row]:
    """Check each tool once: a Python package is part of the review, another language's program optional."""
    from ...capabilities.analyzers.analyzer import OnPath, lacks
    from ...capabilities.analyzers.review import ANALYZERS
    from ...capabilities.analyzers.running import installed, version_of

    rows: dict[str, Row] = {}
    for tool in ANALYZERS:
        if isinstance(tool, OnPath):
            missing = lacks(tool)
            said = f"optional: {missing}" if missing else "on the PATH"
            rows.setdefault(tool.name, ok(f"tool {tool.name}", said))
        elif tool.module:
            name = tool.distribution or tool.module
            if installed(tool.module):
                rows.setdefault(name, ok(f"tool {name}", version_of(tool.distribution) or "installed"))
            else:
                fix = "pip install 'picoclaw-swarm[review]'"
                rows.setdefault(name, warning(f"tool {name}", "not installed", fix))
    return list(rows.values())
