"""`picoclaw get nodes|tasks|requests|lanes|capabilities|agents`: lists."""

import click

from ..agents.get import agents
from ..aliases import AliasGroup
from .capabilities import capabilities
from .lanes import lanes
from .nodes import nodes
from .requests import requests
from .tasks import tasks

ALIASES = {
    "node": "nodes",
    "no": "nodes",
    "task": "tasks",
    "request": "requests",
    "req": "requests",
    "reqs": "requests",
    "lane": "lanes",
    "queues": "lanes",
    "capability": "capabilities",
    "cap": "capabilities",
    "caps": "capabilities",
    "agent": "agents",
}

EPILOG = """\b
Examples:
  picoclaw get nodes
  picoclaw get tasks --status running
  picoclaw get requests -o wide
  picoclaw get lanes
  picoclaw get capabilities --json
  picoclaw get agents

\b
Also by the singular or short: node, no, task, request, req, lane, cap,
agent.
Exit codes: 0 done (an empty list too), 1 failed, 2 wrong usage, 3 no
connection.
"""


@click.group(cls=AliasGroup, aliases=ALIASES, epilog=EPILOG)
def get() -> None:
    """List nodes, tasks, requests, lanes, capabilities or agents."""


for listed in (nodes, tasks, requests, lanes, capabilities, agents):
    get.add_command(listed)
