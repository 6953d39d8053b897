"""mypy: type errors that show without the project's dependencies installed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target, ToolBroken
from .places import relative
from .running import INSIDE, read_json
from .severity import mypy_severity
from .survey import SourceFile

OPTIONS = (
    # No configuration of anybody's: it may load plugins, which is running the repository's code.
    "--config-file=",
    # What is installed beside us is not what the project runs with; an unknown import is Any.
    "--no-site-packages",
    "--ignore-missing-imports",
    "--namespace-packages",
    "--explicit-package-bases",
    "--no-error-summary",
    "--hide-error-context",
    "--cache-dir=/dev/null",
    "--output=json",
    "--disable-error-code=import-untyped",
    # Says that a base class is unknown, which without the project's dependencies says nothing of it.
    "--disable-error-code=has-type",
)


@dataclass(frozen=True, slots=True)
class Mypy:
    """Type errors in Python code; tests are left to their own run."""

    area: Area = "code"
    name: str = "mypy"
    module: str = "mypy"
    distribution: str = "mypy"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the Python files outside tests; of a module and its stub, the stub."""
        python = [file for file in target.survey.of("python") if not file.is_test]
        stubs = {file.path for file in python if file.path.endswith(".pyi")}
        return tuple(file for file in python if file.path + "i" not in stubs)

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Show mypy the repository under an importable name, so that a package at its root resolves."""
        name = re.sub(r"\W", "_", target.label, flags=re.ASCII)[:64] or "repository"
        link = folder / "root" / (name if not name[0].isdigit() else f"_{name}")
        link.parent.mkdir()
        link.symlink_to(target.survey.root, target_is_directory=True)
        is_package = any(file.path in ("__init__.py", "__init__.pyi") for file in files)
        bases = [link.parent] if is_package else [link / "src", link]
        order = folder / "files.json"
        order.write_text(
            json.dumps({"options": OPTIONS, "files": [str(link / file.path) for file in files]}),
            encoding="utf-8",
        )
        return Order(
            script=INSIDE / "check_types.py",
            argv=(str(order),),
            env={"MYPYPATH": ":".join(str(base) for base in bases if base.is_dir())},
        )

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read its errors; its remarks (`note`) belong to them and say nothing alone."""
        answer: Any = read_json(output, 0)
        if answer["problem"]:
            raise ToolBroken(answer["problem"].splitlines()[0][:300])
        left_out = [self._path(path, target) for path in answer["left_out"]]
        findings = tuple(
            Finding(
                path=self._path(report["file"], target),
                line=max(report["line"], 0),
                rule=report["code"] or "error",
                severity=mypy_severity(report["code"] or ""),
                kind="syntax" if report["code"] == "syntax" else "types",
                message=report["message"],
                tool=self.name,
            )
            for report in answer["reports"]
            if report["severity"] == "error"
        )
        detail = f"could not place or parse {len(left_out)}: {', '.join(left_out[:3])}" if left_out else ""
        return Reading(findings, detail=detail)

    def _path(self, path: str, target: Target) -> str:
        # mypy may shorten a path below its working directory.
        folder = target.workspace / self.name
        parts = (folder / path).relative_to(folder / "root").parts
        return relative("/".join(parts[1:]), target.survey)
