"""A place for tools to work in, without a node, and what they say there."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picoclaw.capabilities.agent.tools.tool import Place, Tool, ToolResult
from picoclaw.capabilities.tool import child_environment
from picoclaw.tests.support.repositories import FolderContext


def bubblewrap_lacks() -> str:
    """Return why there is no bubblewrap on this machine; empty when there is."""
    from picoclaw.capabilities.agent.sandbox.choose import choose
    from picoclaw.config.settings import AgentsSettings

    return choose(AgentsSettings(sandbox="bubblewrap")).lacks


def has_bubblewrap() -> bool:
    """Return whether the program is there; whether it works shows when it is used."""
    return shutil.which("bwrap") is not None


@dataclass
class Hand:
    """Uses tools in a workspace, as an agent's loop does."""

    folder: Path
    env: dict[str, str] = field(default_factory=child_environment)
    calls: int = 0

    def __post_init__(self) -> None:
        self.context = FolderContext(self.folder / "node")
        self.root.mkdir(parents=True)

    @property
    def root(self) -> Path:
        """The workspace."""
        return self.folder / "job" / "work"

    def place(self) -> Place:
        """Return where the next use is."""
        self.calls += 1
        return Place(
            root=self.root, context=self.context, call=f"call-{self.calls}", environment=dict(self.env)
        )

    async def use(self, tool: Tool, **arguments: Any) -> ToolResult:
        """Use a tool once, with arguments that meet its schema."""
        import jsonschema

        jsonschema.validate(arguments, tool.spec.schema)
        return await tool.use(arguments, self.place())

    def write(self, name: str, content: str | bytes = "") -> Path:
        """Write a file of the workspace."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def files(self) -> set[str]:
        """Return the names of all that lies in the workspace."""
        return {
            os.path.relpath(os.path.join(folder, name), self.root)
            for folder, _, names in os.walk(self.root)
            for name in names
        }
