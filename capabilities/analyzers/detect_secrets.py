"""detect-secrets: passwords, tokens and private keys that were written into files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding, Severity
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import relative
from .running import INSIDE, read_json
from .severity import lower
from .survey import SourceFile

GUESSED = frozenset({"Secret Keyword", "Basic Auth Credentials", "JSON Web Token"})
"""Kinds that go by a variable's name or by form alone; all others bear the mark of their provider."""


@dataclass(frozen=True, slots=True)
class DetectSecrets:
    """Secrets in any text file."""

    area: Area = "security"
    name: str = "detect-secrets"
    module: str = "detect_secrets"
    distribution: str = "detect-secrets"
    understands: frozenset[str] = frozenset()

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return every text file, whatever its language."""
        return target.survey.files

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Scan the files by name; no baseline or allow-list of the repository is read."""
        listed = folder / "files.json"
        listed.write_text(json.dumps(target.survey.absolute(files)), encoding="utf-8")
        copies = folder / "copies"
        copies.mkdir()
        return Order(script=INSIDE / "scan_secrets.py", argv=(str(listed), str(copies)))

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read which kind of secret stands where."""
        entries: Any = read_json(output, 0)
        findings = []
        for entry in entries:
            path = relative(entry["file"], target.survey)
            severity: Severity = "medium" if entry["type"] in GUESSED else "critical"
            findings.append(
                Finding(
                    path=path,
                    line=entry["line"],
                    rule=entry["type"].lower().replace(" ", "-"),
                    severity=lower(severity, 2) if path in target.survey.tests else severity,
                    kind="secret",
                    message=f"{entry['type']} in the source: revoke it and read it from the environment",
                    tool=self.name,
                )
            )
        return Reading(tuple(findings))
