"""clippy: bugs and untidiness in Rust, where a check runs no code of the repository.

cargo is shown links to the repository's files in a folder of its own, without those that choose a
compiler, a wrapper or a linker; what it builds goes to another folder.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target, ToolBroken, ToolNotRun
from .programs import Ran, lacks_program, last_line, link_all, order_calls, program, read_calls
from .rust_sources import has_macros, is_setting, reads_elsewhere, unstable
from .severity_programs import clippy_rank
from .survey import SourceFile, Survey

SHOWN = "src"
"""The folder of the links, below clippy's own."""
CLIPPY = ("clippy", "--offline", "--message-format=json", "--workspace", "--all-targets")
LINTS = ("--", "-W", "clippy::all")
"""Whatever a manifest switches off; what the source itself allows at its place stays allowed."""
NO_TOOLCHAIN = ("is not installed for the toolchain", "could not choose a version", "is not installed\n")
"""What rustup says on a machine whose `cargo` is there and leads nowhere."""
ABSENT = ("no matching package", "failed to get", "failed to download", "offline", "failed to load source")


@dataclass(frozen=True, slots=True)
class Clippy:
    """Lints and type errors in Rust packages."""

    area: Area = "code"
    name: str = "clippy"
    module: str = ""
    distribution: str = ""
    understands: frozenset[str] = frozenset({"rust"})

    def lacks(self) -> str:
        """Return what this machine lacks to run it."""
        return lacks_program("cargo", "cargo-clippy")

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the Rust files."""
        return target.survey.of("rust")

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Show cargo the sources and name the manifests; raises ToolNotRun for what must not be checked."""
        seen = target.survey
        manifests = sorted(
            (path for path in seen.paths if PurePosixPath(path).name == "Cargo.toml"),
            key=lambda path: (path.count("/"), path),
        )
        if not manifests:
            raise ToolNotRun("there is no Cargo.toml")
        _refuse(seen, files, manifests)
        shown = folder / SHOWN
        link_all(seen, shown, is_setting)
        cargo = program("cargo")
        environment = cargo_environment(folder)
        return order_calls(
            (cargo, "clippy", "--version"), (), folder, environment, "check_rust.py",
            cargo=cargo, root=str(shown), manifests=[str(shown / path) for path in manifests],
            clippy=CLIPPY, lints=LINTS,
        )  # fmt: skip

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read the compiler's messages; raises ToolNotRun when no workspace could be checked."""
        version, ran = read_calls(output)
        shown = target.workspace / self.name / SHOWN
        findings: dict[Finding, None] = {}
        not_done: dict[str, str] = {}
        for run in ran:
            place = os.path.relpath(run.about, shown)
            found = list(self._findings(run, place, target.survey))
            findings |= dict.fromkeys(found)
            if run.skipped or (run.returncode and not found):
                not_done[place] = run.skipped or _why_not(run)
        if not_done and len(not_done) == len(ran):
            raise ToolNotRun("; ".join(dict.fromkeys(not_done.values())))
        notes = tuple(f"clippy: package {place} not done: {why}" for place, why in sorted(not_done.items()))
        return Reading(tuple(findings), notes=notes, version=version)

    def _findings(self, run: Ran, workspace: str, seen: Survey) -> Iterator[Finding]:
        for text in run.stdout.splitlines():
            report: Any = json.loads(text)
            if report.get("reason") != "compiler-message":
                continue
            message = report["message"]
            place = _place(message["spans"], workspace, seen)
            if place is None:
                continue
            code = (message["code"] or {}).get("code") or ""
            rule, severity, kind = clippy_rank(code, message["level"])
            yield Finding(
                path=place[0], line=place[1], rule=rule, severity=severity, kind=kind,
                message=" ".join(message["message"].split()), tool=self.name,
            )  # fmt: skip


def _refuse(seen: Survey, files: tuple[SourceFile, ...], manifests: list[str]) -> None:
    for path in manifests:
        if unstable((seen.root / path).read_text(encoding="utf-8")):
            raise ToolNotRun(f"{path} asks for unstable features of cargo, which may load code")
    texts = {file.path: (seen.root / file.path).read_text(encoding="utf-8") for file in files}
    macros = any(has_macros(text) for text in texts.values())
    for path, text in texts.items():
        if line := reads_elsewhere(path, text, macros=macros):
            raise ToolNotRun(f"{path}:{line} includes a file whose path cannot be told beforehand")


def cargo_environment(folder: Path) -> dict[str, str]:
    """Return the settings under which cargo fetches nothing and builds outside the repository.

    The compiler and the packages that are here already are those of this node's user.
    """
    home = Path(os.environ.get("HOME") or folder)
    given = {name: os.environ[name] for name in ("RUSTUP_TOOLCHAIN",) if name in os.environ}
    return {
        "CARGO_HOME": os.environ.get("CARGO_HOME") or str(home / ".cargo"),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME") or str(home / ".rustup"),
        "RUSTUP_AUTO_INSTALL": "0",
        "CARGO_NET_OFFLINE": "true",
        "CARGO_TARGET_DIR": str(folder / "target"),
        "CARGO_TERM_COLOR": "never",
        "CARGO_INCREMENTAL": "0",
        **given,
    }


def _place(spans: list[dict[str, Any]], workspace: str, seen: Survey) -> tuple[str, int] | None:
    """Return where a message belongs: its first primary span in a file of the repository.

    A span inside a macro of the standard library is followed out to where the macro was called.
    """
    for span in (span for span in spans if span["is_primary"]):
        at: dict[str, Any] | None = span
        while at is not None:
            path = os.path.normpath(os.path.join(workspace, at["file_name"]))
            if path in seen.paths:
                return path, at["line_start"]
            expansion = at["expansion"]
            at = expansion["span"] if expansion else None
    return None


def _why_not(run: Ran) -> str:
    """Return why a workspace was not checked; raises ToolBroken when that is no matter of dependencies."""
    if any(words in run.stderr for words in ABSENT):
        return "its dependencies are not on this machine (`cargo fetch` fetches them)"
    if any(words in run.stderr for words in NO_TOOLCHAIN):
        return "this machine's Rust toolchain has no clippy (`rustup component add clippy`)"
    errors = [line for line in run.stderr.splitlines() if line.startswith("error")]
    raise ToolBroken(f"exit code {run.returncode}: {(errors or [last_line(run.stderr)])[0][:300]}")
