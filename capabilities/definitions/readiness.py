"""Readiness of a definition: the programs and variables that it needs, in words with the remedy."""

import os
import shutil
from collections.abc import Iterable, Mapping

from ..executor import Readiness
from .read import Definition

READY = Readiness(True)


def ready_to_run(definition: Definition, programs: Iterable[str]) -> Readiness:
    """Return whether these programs, and what the definition names, are here; some file look-ups."""
    wanted = dict.fromkeys([*programs, *definition.body.needs])
    if definition.body.directory == "worktree":
        wanted["git"] = None
    for program in wanted:
        if shutil.which(program) is None:
            return Readiness(False, _absent(program))
    return _variables(definition, os.environ)


def _absent(program: str) -> str:
    if not os.path.isabs(program):
        return f"needs {program} on the PATH: install it, or add its folder to the node's PATH"
    if os.path.exists(program):
        return f"needs {program} to be executable: chmod +x it"
    return f"needs {program}, which is not there: put it there, or correct the definition"


def _variables(definition: Definition, environ: Mapping[str, str]) -> Readiness:
    lacking = [name for name in definition.body.env.pass_ if not environ.get(name)]
    if lacking:
        return Readiness(False, f"needs {', '.join(lacking)}: set it in the environment of the node")
    return READY
