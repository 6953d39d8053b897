"""codespell: common misspellings in prose, comments and names."""

from dataclasses import dataclass
from pathlib import Path

from ..findings import Area, Finding
from ..languages import PROGRAMMING, PROSE
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target
from .places import split_line
from .running import broken
from .survey import SourceFile

SAYS = " ==> "
FOUND = 65
"""Its exit code when it found something, EX_DATAERR of sysexits.h."""

SHORT_WORDS = r"(?<![\w'’-])\w{1,3}(?![\w'’-])"
"""Names of three letters and less are abbreviations far more often than misspellings.

Whole words as codespell cuts them: without its t, `doesn't` would be a misspelling.
"""


@dataclass(frozen=True, slots=True)
class Codespell:
    """Misspellings in prose and source files."""

    area: Area = "docs"
    name: str = "codespell"
    module: str = "codespell_lib"
    distribution: str = "codespell"
    understands: frozenset[str] = PROSE

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return prose and source files; data, locks and generated files are no prose."""
        return target.survey.of(*PROSE, *PROGRAMMING)

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Name the files; settings are only searched for in the working directory, which is empty."""
        return Order(
            module="codespell_lib",
            argv=(
                "--config", "/dev/null", "--builtin", "clear", "--check-hidden", "--disable-colors",
                "--ignore-regex", SHORT_WORDS, *target.survey.absolute(files),
            ),
        )  # fmt: skip

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read its lines."""
        if output.returncode not in (0, FOUND):
            raise broken(output)
        prose = {file.path for file in target.survey.of(*PROSE)}
        findings = []
        for text in output.stdout.decode("utf-8", "replace").splitlines():
            place = split_line(text, target.survey)
            if place is None or SAYS not in place[2]:
                continue
            path, line, message = place
            wrong, _, right = message.partition(SAYS)
            findings.append(
                Finding(
                    path=path,
                    line=line,
                    rule="misspelling",
                    severity="low" if path in prose else "info",
                    kind="spelling",
                    message=f"`{wrong}` is probably {right.strip()}",
                    tool=self.name,
                )
            )
        return Reading(tuple(findings))
