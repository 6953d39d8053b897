"""Facts about the tests: how many, which check nothing, which are skipped, what no test mentions."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..findings import Area, Finding, Severity
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .running import INSIDE, read_json
from .survey import SourceFile

NOT_TESTED = frozenset({"__init__.py", "__main__.py", "setup.py", "conf.py", "_version.py"})
"""Files that no test has to mention."""


@dataclass(frozen=True, slots=True)
class TestFacts:
    """Test files read by parsing alone; nothing of the project is run."""

    # pytest collects classes by this prefix.
    __test__ = False

    area: Area = "testing"
    name: str = "test facts"
    module: str = ""
    distribution: str = ""
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return all Python files."""
        return target.survey.of("python")

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Read tests and sources in one child process."""
        order = folder / "files.json"
        sources = [
            file.path
            for file in files
            if not file.is_test and PurePosixPath(file.path).name not in NOT_TESTED and file.size
        ]
        order.write_text(
            json.dumps(
                {
                    "root": str(target.survey.root),
                    "tests": [file.path for file in files if file.is_test],
                    "sources": sources,
                }
            ),
            encoding="utf-8",
        )
        return Order(script=INSIDE / "read_tests.py", argv=(str(order),))

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Turn its lists into findings and its counts into facts."""
        answer: Any = read_json(output, 0)
        tests = [file for file in target.survey.of("python") if file.is_test]
        facts = {
            "test files": len(tests),
            "test functions": answer["functions"],
            "test classes": answer["classes"],
            "skipped tests": len(answer["skipped"]),
            "tests without an assertion": len(answer["silent"]),
            "modules that no test mentions": len(answer["untested"]),
        }
        unread = len(answer["unread"])
        detail = f"could not parse {unread}" if unread else ""
        if not answer["functions"]:
            nothing = self._finding("", 0, "no-tests", "medium", "no test found: nothing guards this code")
            return Reading((nothing,), facts, detail=detail)
        findings = [
            self._finding(
                path, line, "no-assertion", "low", f"`{name}` asserts nothing: only a crash fails it"
            )
            for path, line, name in answer["silent"]
        ]
        findings += [
            self._finding(path, line, "skipped", "low", f"`{name}` is always skipped")
            for path, line, name in answer["skipped"]
        ]
        findings += [
            self._finding(path, 0, "untested", "info", "no test imports or mentions this module")
            for path in answer["untested"]
        ]
        return Reading(tuple(findings), facts, detail=detail)

    def _finding(self, path: str, line: int, rule: str, severity: Severity, message: str) -> Finding:
        return Finding(
            path=path or ".",
            line=line,
            rule=rule,
            severity=severity,
            kind="test",
            message=message,
            tool=self.name,
        )
