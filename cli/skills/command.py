"""`picoclaw skills list|show|install|create|remove`: what agents load when they need it."""

import click

from ..aliases import AliasGroup
from .changing import create_skill, install_skill, remove_skill
from .listing import list_skills, show_skill

EPILOG = """\b
Examples:
  picoclaw skills list
  picoclaw skills show git
  picoclaw skills install https://github.com/example/skills#v2 --only invoices
  picoclaw skills create invoices -d "How we write invoices."

\b
A skill is a folder with a SKILL.md, in ~/.picoclaw/skills (or --skills.path).
An agent has the skills that its profile names.
Exit codes: 0 done, 2 wrong usage or a broken skill.
"""


@click.group(
    cls=AliasGroup,
    aliases={
        "ls": "list",
        "describe": "show",
        "add": "install",
        "new": "create",
        "delete": "remove",
        "rm": "remove",
    },
    epilog=EPILOG,
)
def skills() -> None:
    """List, show, install, write and remove skills of agents."""


for verb in (list_skills, show_skill, install_skill, create_skill, remove_skill):
    skills.add_command(verb)
