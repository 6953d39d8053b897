"""shellcheck: bugs in shell scripts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import relative
from .programs import Call, chunks, lacks_program, order_calls, program, read_calls, read_said, refused
from .severity_programs import shellcheck_rank
from .survey import SourceFile

NOT_SAID = "SC1009,SC1090,SC1091"
"""Where a syntax error began, said beside the error; that a sourced file was not read, which none is."""


@dataclass(frozen=True, slots=True)
class Shellcheck:
    """Bugs in scripts for sh, bash, dash and ksh; it cannot read those for zsh."""

    area: Area = "code"
    name: str = "shellcheck"
    module: str = ""
    distribution: str = ""
    understands: frozenset[str] = frozenset({"shell"})

    def lacks(self) -> str:
        """Return what this machine lacks to run it."""
        return lacks_program("shellcheck")

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the shell scripts."""
        return tuple(file for file in target.survey.of("shell") if not file.path.endswith(".zsh"))

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Name the files; no `.shellcheckrc` is read and no `source` is followed."""
        tool = program("shellcheck")
        argv = (tool, "--norc", "--format=json1", "--severity=style", f"--exclude={NOT_SAID}", "--")
        calls = [Call((*argv, *names), folder) for names in chunks(target.survey.absolute(files))]
        return order_calls((tool, "--version"), calls, folder)

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read its comments; 1 means that there are some."""
        version, ran = read_calls(output)
        findings = []
        for run in ran:
            if run.returncode not in (0, 1):
                raise refused(run)
            answer: Any = read_said(run)
            findings += [self._finding(comment, target) for comment in answer["comments"]]
        return Reading(tuple(findings), version=version)

    def _finding(self, comment: dict[str, Any], target: Target) -> Finding:
        rule = f"SC{comment['code']}"
        severity, kind = shellcheck_rank(comment["code"], comment["level"])
        return Finding(
            path=relative(comment["file"], target.survey),
            line=comment["line"],
            rule=rule,
            severity=severity,
            kind=kind,
            message=" ".join(comment["message"].split()),
            tool=self.name,
        )
