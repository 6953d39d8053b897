"""interrogate: how much of the public interface has a docstring."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import relative
from .running import INSIDE, read_json
from .survey import SourceFile

POOR = 0.5
"""Share of documented objects below which a file is named."""
LEAST = 4
"""Public objects that a file must have before a share of them means anything."""


@dataclass(frozen=True, slots=True)
class Interrogate:
    """Docstring coverage of Python files outside tests."""

    area: Area = "docs"
    name: str = "interrogate"
    module: str = "interrogate"
    distribution: str = "interrogate"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the Python files outside tests."""
        return tuple(file for file in target.survey.of("python") if not file.is_test)

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Measure the files by name; no settings of the repository are read."""
        listed = folder / "files.json"
        listed.write_text(json.dumps(target.survey.absolute(files)), encoding="utf-8")
        return Order(script=INSIDE / "measure_docstrings.py", argv=(str(listed),))

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read the figures; a poorly documented file is a finding."""
        answer: Any = read_json(output, 0)
        total = sum(file["total"] for file in answer["files"])
        covered = sum(file["covered"] for file in answer["files"])
        findings = tuple(
            Finding(
                path=relative(file["file"], target.survey),
                line=0,
                rule="docstring-coverage",
                severity="low",
                kind="docstring",
                message=f"{file['covered']} of {file['total']} public objects have a docstring",
                tool=self.name,
            )
            for file in answer["files"]
            if file["total"] >= LEAST and file["covered"] < POOR * file["total"]
        )
        share = round(100 * covered / total, 1) if total else None
        unread = len(answer["unread"])
        return Reading(
            findings,
            {"public objects": total, "with a docstring": covered, "docstring coverage in %": share},
            detail=f"could not parse {unread}" if unread else "",
        )
