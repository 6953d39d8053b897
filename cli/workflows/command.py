"""`picoclaw workflows list|show|validate|run`: users' own workflows."""

import click

from ..aliases import AliasGroup
from .listing import list_workflows, show_workflow
from .running import run_workflow
from .validating import validate_workflows

EPILOG = """\b
Examples:
  picoclaw workflows list
  picoclaw workflows show licences
  picoclaw workflows validate licences.yaml
  picoclaw workflows run licences --input repositories=@repositories.txt
  picoclaw workflows run tests --repo . --input shards=8 --dry-run

\b
A workflow is a YAML file in ~/.picoclaw/workflows (or --workflows.path).
Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong file, 3 no connection.
"""


@click.group(cls=AliasGroup, aliases={"ls": "list", "describe": "show", "check": "validate"}, epilog=EPILOG)
def workflows() -> None:
    """List, show, check and run workflows: plans that stand in YAML."""


for verb in (list_workflows, show_workflow, validate_workflows, run_workflow):
    workflows.add_command(verb)
