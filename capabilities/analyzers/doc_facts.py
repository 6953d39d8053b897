"""Facts about the documentation: what a newcomer looks for first, and links that lead nowhere."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..languages import PROSE
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .running import INSIDE, read_json
from .survey import SourceFile

EXPECTED = ("readme", "license", "changelog", "contributing")
"""Files at the top of a repository, by the beginning of their names."""


@dataclass(frozen=True, slots=True)
class DocFacts:
    """README and its like, and the relative links of Markdown files."""

    area: Area = "docs"
    name: str = "doc facts"
    module: str = ""
    distribution: str = ""
    understands: frozenset[str] = PROSE

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return all text files: also where there is no documentation, that is worth a word."""
        return target.survey.files

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Read the Markdown files in a child process."""
        order = folder / "files.json"
        markdown = [file.path for file in target.survey.of("markdown")]
        order.write_text(json.dumps({"root": str(target.survey.root), "files": markdown}), encoding="utf-8")
        return Order(script=INSIDE / "read_docs.py", argv=(str(order),))

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Turn links that lead nowhere, and a missing README, into findings."""
        answer: Any = read_json(output, 0)
        tops = [file.path.lower() for file in target.survey.files if "/" not in file.path]
        there = {name: any(top.startswith(name) for top in tops) for name in EXPECTED}
        findings = [
            Finding(
                path=path,
                line=line,
                rule="dead-link",
                severity="medium",
                kind="bug",
                message=f"the link to `{aim}` leads nowhere: no such file in the repository",
                tool=self.name,
            )
            for path, line, aim in answer["broken"]
        ]
        if not there["readme"]:
            findings.append(
                Finding(
                    path=".",
                    line=0,
                    rule="no-readme",
                    severity="medium",
                    kind="docstring",
                    message="no README: nothing tells a newcomer what this is and how to run it",
                    tool=self.name,
                )
            )
        return Reading(tuple(findings), {**there, "links in Markdown": answer["links"]})
