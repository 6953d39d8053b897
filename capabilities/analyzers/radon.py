"""radon: functions so complex that nobody can follow them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import relative
from .running import read_json
from .severity import COMPLEXITY
from .survey import SourceFile


@dataclass(frozen=True, slots=True)
class Radon:
    """Cyclomatic complexity of Python functions and methods."""

    area: Area = "code"
    name: str = "radon"
    module: str = "radon"
    distribution: str = "radon"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the Python files outside tests."""
        return tuple(file for file in target.survey.of("python") if not file.is_test)

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Report rank D and worse; it reads settings of its working directory and home, both empty."""
        return Order(module="radon", argv=("cc", "--json", "--min", "D", *target.survey.absolute(files)))

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read the functions by file; a file that does not parse has an error instead."""
        answer: Any = read_json(output, 0)
        findings = []
        unread = 0
        for path, blocks in answer.items():
            if isinstance(blocks, dict):
                unread += 1
                continue
            for block in blocks:
                severity = next((name for least, name in COMPLEXITY if block["complexity"] >= least), None)
                if severity is None or block["type"] == "class":
                    continue
                findings.append(
                    Finding(
                        path=relative(path, target.survey),
                        line=block["lineno"],
                        rule=f"complexity-{block['rank']}",
                        severity=severity,
                        kind="complexity",
                        message=f"`{block['name']}` has {block['complexity']} paths through it: split it",
                        tool=self.name,
                    )
                )
        return Reading(tuple(findings), detail=f"could not parse {unread}" if unread else "")
