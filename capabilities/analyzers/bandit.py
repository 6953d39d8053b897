"""bandit: weaknesses in Python code, such as shells fed with input and broken hashes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding, Severity
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import relative
from .running import broken, read_json
from .severity import lower
from .survey import SourceFile

NOT_WEAK = "B101,B110,B112,B404,B603,B606,B607"
"""Asserts, and the mere use of subprocess; try-except-pass is the code area's."""

QUOTES_SECRETS = frozenset({"B105", "B106", "B107"})

SEVERITY: dict[str, Severity] = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low", "UNDEFINED": "low"}


@dataclass(frozen=True, slots=True)
class Bandit:
    """Weaknesses in Python files."""

    area: Area = "security"
    name: str = "bandit"
    module: str = "bandit"
    distribution: str = "bandit"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the Python files outside tests, whose few real weaknesses ruff names in a tenth of the time."""
        return tuple(file for file in target.survey.of("python") if not file.is_test)

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Name the files and an empty settings file, so that no `.bandit` is searched for."""
        ini = folder / "empty.ini"
        ini.write_text("[bandit]\n", encoding="utf-8")
        return Order(
            module="bandit",
            argv=(
                "--quiet", "--format", "json", "--ini", str(ini), "--skip", NOT_WEAK,
                # Its default exclusions go by parts of the path, also of where the repository lies.
                "--exclude", str(folder), *target.survey.absolute(files),
            ),
        )  # fmt: skip

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read its results; 1 means that there are some."""
        answer: Any = read_json(output, 0, 1)
        if not isinstance(answer, dict) or "results" not in answer:
            raise broken(output, "its output has no results")
        findings = []
        for result in answer["results"]:
            path = relative(result["filename"], target.survey)
            severity = SEVERITY.get(result["issue_severity"], "low")
            unsure = result["issue_confidence"] == "LOW"
            findings.append(
                Finding(
                    path=path,
                    line=result["line_number"],
                    rule=result["test_id"],
                    severity=lower(severity) if unsure else severity,
                    kind="secret" if result["test_id"] in QUOTES_SECRETS else "vulnerability",
                    message=_message(result),
                    tool=self.name,
                )
            )
        unread = [relative(error["filename"], target.survey) for error in answer.get("errors", [])]
        detail = f"could not read {len(unread)}: {', '.join(unread[:3])}" if unread else ""
        return Reading(tuple(findings), detail=detail)


def _message(result: dict[str, Any]) -> str:
    """Return what it says, without the password that it quotes: a report is read by many."""
    text = " ".join(result["issue_text"].split())
    return text.partition(":")[0] if result["test_id"] in QUOTES_SECRETS else text
