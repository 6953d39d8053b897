"""What the guide's tests do again and again: its blocks, a request, a look at the nodes."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.docs import block

guide = partial(block, "guide.md")
"""A block of the guide by its heading."""


def review(run: RunPicoclaw, repository: Path, *args: str) -> str:
    """Send a review, wait for its end, and return its report."""
    ran = run("dispatch", "Review this repository", "--repo", str(repository), *args, timeout=50)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def nodes_of(run: RunPicoclaw, *args: str) -> dict[str, dict[str, Any]]:
    """What `get nodes` shows, by name."""
    ran = run("get", "nodes", "--json", *args)
    assert ran.returncode == 0, ran.stderr
    return {node["name"]: node for node in json.loads(ran.stdout)}
