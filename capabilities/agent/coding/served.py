"""A coding CLI as the swarm sees it: whether it can be had here. What runs it is loaded with its first task."""

import os
import shutil
from dataclasses import dataclass

from ....swarm.records import QueuedTask, Result
from ...executor import Context, Readiness
from .known import CodingCli


@dataclass(frozen=True, slots=True)
class CodingExecutor:
    """Serves the lane `agent:NAME` by a coding CLI, where it is installed and has a key."""

    cli: CodingCli
    refused: str = ""
    """Why this machine does not want it, in words; empty: it does."""

    @property
    def agent(self) -> str:
        return self.cli.name

    @property
    def program(self) -> str:
        return self.cli.name

    @property
    def own(self) -> bool:
        return False

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset()

    def readiness(self, capability: str) -> Readiness:
        """Return whether it is wanted, and the program, git and a key are here; some file look-ups."""
        if self.refused:
            return Readiness(False, self.refused)
        for program in (self.cli.name, "git"):
            if shutil.which(program) is None:
                return Readiness(
                    False, f"needs {program} on the PATH: install it, or add its folder to the node's PATH"
                )
        if self._key is None:
            return Readiness(
                False, f"needs {' or '.join(self.cli.keys)}: set it in the environment of the node"
            )
        return Readiness(True)

    @property
    def _key(self) -> str | None:
        return next((name for name in self.cli.keys if os.environ.get(name)), None)

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Run it. Raises FinalError or RetryableError with its last words, and with what it had cost."""
        from .run import CodingRun

        return await CodingRun(self.cli, self._key).execute(task, context)
