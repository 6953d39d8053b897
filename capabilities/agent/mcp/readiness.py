"""Readiness of an MCP server: what it needs on this machine, in words with the remedy; no network."""

import importlib.util
import os
import shutil
from collections.abc import Mapping

from ...executor import Readiness
from .server import Server, Stdio, expand

READY = Readiness(True)


def readiness(server: Server, environ: Mapping[str, str]) -> Readiness:
    """Return whether a server can be asked from here: its program, its variables and our own extra."""
    if importlib.util.find_spec("mcp") is None:
        return Readiness(False, "needs the extra for agents: pip install 'picoclaw-swarm[agent]'")
    lacking = server.lacking(environ)
    if lacking:
        return Readiness(False, f"needs {', '.join(lacking)}: set it in the environment of the node")
    if not isinstance(server.way, Stdio):
        return READY
    program = expand(server.way.argv[0], environ)
    if shutil.which(program, path=environ.get("PATH")) is not None:
        return READY
    if os.path.isabs(program):
        return Readiness(
            False, f"needs {program}, which is no program here: put it there, or correct the file"
        )
    return Readiness(False, f"needs {program} on the PATH: install it, or add its folder to the node's PATH")
