"""ruff: bugs and untidiness, weaknesses, missing docstrings and test habits; one rule set per area."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import relative
from .running import read_json
from .severity import lower, ruff_rank
from .survey import SourceFile

RULES: dict[Area, tuple[str, str]] = {
    "code": (
        "E4,E7,E9,F,B,C901,PLE,PLW,SIM1,SIM2,SIM4,ASYNC,BLE,RUF006,RUF008,RUF009,RUF013",
        # Common, harmless and a matter of house rules: named loops, lambdas, globals, imports in functions.
        "ASYNC109,B008,E402,E731,E741,PLW0603,PLW1514,PLW1641,PLW2901,SIM102,SIM105,SIM108,SIM117",
    ),
    "security": (
        "S",
        # Asserts, and the mere use of subprocess, are not weaknesses; try-except-pass is the code area's.
        "S101,S110,S112,S404,S603,S606,S607",
    ),
    "docs": ("D100,D101,D102,D103,D104,D300,D410,D417,D419", ""),
    "testing": ("PT", "PT001,PT004,PT005,PT006,PT007,PT009,PT011,PT013,PT018,PT022,PT023,PT027"),
}
"""Per area: the rules that are selected, and those of them that are not worth a reader's time."""


SAFE = "seems safe"
"""What ruff says of a child process (S602 to S605) whose command is a literal."""


@dataclass(frozen=True, slots=True)
class RuffCheck:
    """ruff's linter with the rules of one area."""

    area: Area
    name: str = "ruff"
    module: str = "ruff"
    distribution: str = "ruff"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the Python files; of tests only for `testing`, never for `docs`."""
        python = target.survey.of("python")
        if self.area == "testing":
            return tuple(file for file in python if file.is_test)
        if self.area == "docs":
            return tuple(file for file in python if not file.is_test)
        return python

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Run isolated: no configuration file of anybody is read."""
        select, ignore = RULES[self.area]
        listed = folder / "files.txt"
        listed.write_text("\n".join(target.survey.absolute(files)), encoding="utf-8")
        return Order(
            module="ruff",
            argv=(
                "check", "--isolated", "--no-cache", "--exit-zero", "--output-format", "json",
                "--select", select, *(("--ignore", ignore) if ignore else ()),
                "--target-version", target_version(target),
                "--config", "lint.mccabe.max-complexity=20",
                f"@{listed}",
            ),
        )  # fmt: skip

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read its JSON; each entry is a finding."""
        entries: Any = read_json(output, 0)
        return Reading(tuple(self._finding(entry, target) for entry in entries))

    def _finding(self, entry: dict[str, Any], target: Target) -> Finding:
        code = entry["code"] or "invalid-syntax"
        severity, kind = ruff_rank(code)
        path = relative(entry["filename"], target.survey)
        if kind in ("vulnerability", "secret") and path in target.survey.tests:
            severity = lower(severity)
        if SAFE in entry["message"]:
            # A shell, but started with words that stand in the source: nobody else can reach it.
            severity = "low"
        return Finding(
            path=path,
            line=(entry["location"] or {}).get("row", 0),
            rule=code,
            severity=severity,
            kind=kind,
            message=" ".join(entry["message"].split()),
            tool=self.name,
        )


@dataclass(frozen=True, slots=True)
class RuffFormat:
    """ruff's formatter, as a judge: which files it would change."""

    area: Area = "code"
    name: str = "ruff format"
    module: str = "ruff"
    distribution: str = "ruff"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return all Python files."""
        return target.survey.of("python")

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Check with the project's declared line length and quotes, nothing else of its settings."""
        listed = folder / "files.txt"
        listed.write_text("\n".join(target.survey.absolute(files)), encoding="utf-8")
        options = [("line-length", str(target.project.line_length))]
        options += [(f"format.{name}", value) for name, value in target.project.format_options]
        return Order(
            module="ruff",
            argv=(
                "format", "--check", "--isolated", "--no-cache", "--output-format", "json",
                "--target-version", target_version(target),
                *(word for name, value in options for word in ("--config", f"{name}={value}")),
                f"@{listed}",
            ),
        )  # fmt: skip

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Count the files that differ; name them only where the project declares a formatter."""
        entries: Any = read_json(output, 0, 1, 2)
        paths = sorted(
            {
                relative(entry["filename"], target.survey)
                for entry in entries
                if entry["code"] in (None, "unformatted")
            }
        )
        findings = tuple(
            Finding(
                path=path, line=0, rule="unformatted", severity="info", kind="format",
                message="differs from the formatter's output: run the formatter", tool=self.name,
            )
            for path in paths
        )  # fmt: skip
        return Reading(
            findings if target.project.formatted else (),
            {"files that ruff would format": len(paths)} if paths else {},
        )


def target_version(target: Target) -> str:
    """Return the Python version to read the code as; the newest unless the project declares its oldest."""
    major, minor = target.project.python or (3, 14)
    return f"py{major}{minor}"
