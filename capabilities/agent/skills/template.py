"""A new skill: a file that is right as it stands, and shows what belongs where. Pure."""

from collections.abc import Sequence

TEMPLATE = """\
---
name: {name}
description: {description}
{needs}---
# {title}

Write here how the work is done, as you would tell a new colleague who knows the tools but not the house.
An agent reads this only when it loads the skill, and follows it as far as its rules allow.

1. What to look at first, and where.
2. The steps, with the commands as they are typed.
3. How to see that it is right.

## Rules
- What must not be done, and when to stop and say so.

Long lists, forms and programs go into further files in this folder; name them here, so that the agent knows
when to load them.
"""


def skill_template(name: str, description: str, needs: Sequence[str] = ()) -> str:
    """Return the text of a new SKILL.md."""
    listed = "".join(f"  - {need}\n" for need in needs)
    return TEMPLATE.format(
        name=name,
        description=_quoted(description or f"How to do {name}. Use it when a task asks for {name}."),
        needs=f"needs:\n{listed}" if listed else "",
        title=name.replace("-", " ").capitalize(),
    )


def _quoted(text: str) -> str:
    """Return a text as YAML takes it for one, whatever stands in it."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
