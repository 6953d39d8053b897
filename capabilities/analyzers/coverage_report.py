"""A coverage report that the project already has, read as data; its tests are not run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import relative
from .running import INSIDE, read_json
from .survey import SourceFile

REPORTS = ("coverage.xml", "coverage.json", ".coverage")
"""Where reports usually lie, the readable forms first."""
POOR = 50.0
"""Per cent of lines below which a file is named."""


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Line coverage by file, from `coverage.xml`, `coverage.json` or `.coverage`."""

    area: Area = "testing"
    name: str = "coverage report"
    module: str = ""
    distribution: str = ""
    understands: frozenset[str] = frozenset()

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the first report that is there."""
        for name in REPORTS:
            file = target.survey.root / name
            if file.is_file() and not file.is_symlink():
                return (SourceFile(name, "", file.stat().st_size),)
        return ()

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Read it in a child process: XML and SQLite from a stranger are not opened in ours."""
        return Order(
            script=INSIDE / "read_coverage.py", argv=(str(target.survey.root / files[0].path), str(folder))
        )

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Turn its figures into facts, and poorly covered files into findings."""
        answer: Any = read_json(output, 0)
        known = {file.path for file in target.survey.files}
        findings = []
        for path, percent in answer["files"].items():
            place = relative(path, target.survey)
            if percent < POOR and place in known:
                findings.append(
                    Finding(
                        path=place,
                        line=0,
                        rule="low-coverage",
                        severity="low",
                        kind="coverage",
                        message=f"{percent:.0f} % of its lines are covered, says {answer['report']}",
                        tool=self.name,
                    )
                )
        facts = {"coverage in %": answer["percent"], "coverage report": answer["report"]}
        return Reading(tuple(findings), facts, detail=answer["detail"])
