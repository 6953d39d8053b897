"""vulture: code that cannot be reached and variables that nobody reads."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import split_line
from .running import broken
from .survey import SourceFile

CONFIDENCE = re.compile(r" \(\d+% confidence(?:, .*)?\)$")
SURE = 80
"""Confidence in per cent; below it vulture mostly lists the public interface of a library."""
GIVEN = "exc,exc_*,tb,trace,traceback,signum,frame,args,kwargs,request,app,config"
"""Parameters that somebody else's interface prescribes."""


@dataclass(frozen=True, slots=True)
class Vulture:
    """Dead code in Python files."""

    area: Area = "code"
    name: str = "vulture"
    module: str = "vulture"
    distribution: str = "vulture"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return all Python files: a use in a test is a use."""
        return target.survey.of("python")

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Name the files and an empty configuration."""
        config = folder / "empty.toml"
        config.touch()
        return Order(
            module="vulture",
            argv=(
                "--config", str(config), "--min-confidence", str(SURE), "--ignore-names", GIVEN, *target.survey.absolute(files)
            ),
        )  # fmt: skip

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read its lines; a file that it cannot parse it names on standard error."""
        # 0 nothing, 1 some file did not parse, 3 dead code found; 2 is a wrong call.
        if output.returncode not in (0, 1, 3) or "Traceback" in output.stderr:
            raise broken(output)
        lines = output.stdout.decode("utf-8", "replace").splitlines()
        findings = tuple(
            Finding(
                path=path,
                line=line,
                rule=_rule(message),
                severity="low",
                kind="dead-code",
                message=message,
                tool=self.name,
            )
            for path, line, text in filter(None, (split_line(text, target.survey) for text in lines))
            # Unused imports are ruff's, which knows what is exported; in tests a fixture's name is a use.
            if (message := CONFIDENCE.sub("", text)) != text
            and not message.startswith("unused import")
            and path not in target.survey.tests
        )
        unread = sum(": invalid syntax" in line or " at " in line for line in output.stderr.splitlines())
        return Reading(findings, detail=f"could not parse {unread}" if output.returncode == 1 else "")


def _rule(message: str) -> str:
    """Return the message without the name in it: `unused variable 'x'` is `unused-variable`."""
    return "-".join(re.sub(r"'[^']*'", "", message).split()[:2])
