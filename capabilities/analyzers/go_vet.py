"""go vet: bugs and type errors in Go, module by module, without a network.

go runs no code of a repository that it vets, if cgo and other toolchains are off. What a module asks
for beyond itself must be on this machine already, in its module cache or in `vendor`.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..findings import Area, Finding
from ..tool import ToolOutput
from .analyzer import Order, Reading, Target, ToolBroken, ToolNotRun
from .places import relative
from .programs import Call, Ran, lacks_program, order_calls, program, read_calls
from .severity_programs import go_rank
from .survey import SourceFile, Survey

COMPILER = re.compile(r"^(?:vet: )?(?P<path>.+?\.go):(?P<line>\d+)(?::\d+)?: (?P<what>.+)$")
ABSENT = re.compile(
    r"no required module provides package|cannot find module providing|missing go\.sum entry|"
    r"lookup disabled by GOPROXY=off|is not in std|inconsistent vendoring|updates to go\.mod needed"
)
TOO_NEW = re.compile(r"requires go >= (\S+)")
OUTSIDE = re.compile(r"^\s*(?:use\s+|replace\s+)?\(?\s*(?:[^\s/][^\n]*=>\s*)?\"?(\.{1,2}(?:/[^\s\"]*)?|/[^\s\"]*)",
                     re.MULTILINE)  # fmt: skip
"""A folder that go.mod or go.work points to."""
LOOSE = "module review.invalid\n\ngo 1.21\n"
"""The go.mod of files that have none."""


@dataclass(frozen=True, slots=True)
class GoVet:
    """Suspicious constructs and type errors in Go packages."""

    area: Area = "code"
    name: str = "go vet"
    module: str = ""
    distribution: str = ""
    understands: frozenset[str] = frozenset({"go"})

    def lacks(self) -> str:
        """Return what this machine lacks to run it."""
        return lacks_program("go")

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        """Return the Go files but for copies of other people's modules."""
        return tuple(
            file for file in target.survey.of("go") if "vendor" not in PurePosixPath(file.path).parts
        )

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        """Call it once for each module; nothing is written into the repository."""
        seen = target.survey
        if place := points_outside(seen):
            raise ToolNotRun(f"{place} points to a folder outside the repository")
        go = program("go")
        calls = []
        for module in modules(seen, files):
            overlay: tuple[str, ...] = ()
            if module == "." and "go.mod" not in seen.paths:
                overlay = (f"-overlay={_lend_module(seen.root, folder)}",)
            argv = (go, "-C", str(seen.root / module), "vet", "-json", *overlay, "./...")
            calls.append(Call(argv, folder, module))
        env = go_environment(folder) | {
            "GOWORK": str(seen.root / "go.work") if "go.work" in seen.paths else "off"
        }
        return order_calls((go, "version"), calls, folder, env)

    def read(self, output: ToolOutput, target: Target) -> Reading:
        """Read what it says of each module; raises ToolNotRun when none could be loaded."""
        version, ran = read_calls(output)
        findings: list[Finding] = []
        not_done: dict[str, str] = {}
        for run in ran:
            found = list(self._findings(run, target.survey))
            if not found and run.returncode and (why := _why_not(run)):
                not_done[run.about] = why
            findings += found
        if not_done and len(not_done) == len(ran):
            raise ToolNotRun("; ".join(dict.fromkeys(not_done.values())))
        notes = tuple(f"go vet: module {module} not done: {why}" for module, why in sorted(not_done.items()))
        return Reading(tuple(dict.fromkeys(findings)), notes=notes, version=version)

    def _findings(self, run: Ran, seen: Survey) -> Iterator[Finding]:
        for package in read_objects(run.stdout + "\n" + run.stderr):
            for rules in package.values():
                for rule, reports in rules.items():
                    # An analyzer of it that failed says so in an object.
                    for report in reports if isinstance(reports, list) else ():
                        path, line = _position(report["posn"])
                        yield from self._finding(seen, path, line, rule, report["message"])
        for text in run.stderr.splitlines():
            if ABSENT.search(text) is None and (said := COMPILER.match(text)) is not None:
                path = os.path.join(seen.root / run.about, said["path"])
                yield from self._finding(seen, path, int(said["line"]), "compile", said["what"])

    def _finding(self, seen: Survey, path: str, line: int, rule: str, message: str) -> Iterator[Finding]:
        place = relative(os.path.normpath(path), seen)
        # A `//line` comment may name any file.
        if place in seen.paths:
            severity, kind = go_rank(rule)
            yield Finding(
                path=place, line=line, rule=rule, severity=severity, kind=kind,
                message=" ".join(message.split()), tool=self.name,
            )  # fmt: skip


def modules(seen: Survey, files: tuple[SourceFile, ...]) -> list[str]:
    """Return the folders of the modules that these files belong to; `.` also where it has no go.mod."""
    roots = {str(PurePosixPath(path).parent) for path in seen.paths if PurePosixPath(path).name == "go.mod"}

    def root_of(path: str) -> str:
        parents = (str(parent) for parent in PurePosixPath(path).parents)
        return next((parent for parent in parents if parent in roots), ".")

    return sorted({root_of(file.path) for file in files})


def points_outside(seen: Survey) -> str:
    """Return the go.mod or go.work that uses a folder outside the repository, or an empty string."""
    for path in sorted(seen.paths):
        if PurePosixPath(path).name not in ("go.mod", "go.work"):
            continue
        here = seen.root / PurePosixPath(path).parent
        text = re.sub(r"//.*", "", (seen.root / path).read_text(encoding="utf-8"))
        for found in OUTSIDE.finditer(text):
            if not (here / found[1]).resolve().is_relative_to(seen.root):
                return path
    return ""


def go_environment(folder: Path) -> dict[str, str]:
    """Return the settings under which go fetches nothing, runs nothing and asks nobody.

    Its build cache and the cache of modules are those of this node's user: go alone writes there, and a
    standard library that is compiled anew for each review takes longer than the review.
    """
    home = Path(os.environ.get("HOME") or folder)
    paths = os.environ.get("GOPATH") or str(home / "go")
    cache = os.environ.get("GOCACHE") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "go-build"
    )
    return {
        "GOENV": "off",
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOVCS": "*:off",
        "GOTELEMETRY": "off",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false",
        "GOCACHE": cache if _can_write(Path(cache)) else str(folder / "build"),
        "GOMODCACHE": os.environ.get("GOMODCACHE") or str(Path(paths.split(os.pathsep)[0]) / "pkg" / "mod"),
        "GOPATH": str(folder / "go"),
    }


def _can_write(place: Path) -> bool:
    """Return whether a folder, or the nearest one above it that is there, can be written."""
    there = next(parent for parent in (place.absolute(), *place.absolute().parents) if parent.exists())
    return os.access(there, os.W_OK)


def read_objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Return the JSON objects in go vet's output, one per package, between lines that are none."""
    decoder = json.JSONDecoder()
    start = 0
    while (start := text.find("{", start)) >= 0:
        try:
            found, start = decoder.raw_decode(text, start)
        except ValueError:
            start += 1
            continue
        if isinstance(found, dict) and all(isinstance(rules, dict) for rules in found.values()):
            yield found


def _lend_module(root: Path, folder: Path) -> Path:
    """Return an overlay in which the repository has a go.mod, without which go loads nothing."""
    lent, overlay = folder / "go.mod", folder / "overlay.json"
    lent.write_text(LOOSE, encoding="utf-8")
    overlay.write_text(json.dumps({"Replace": {str(root / "go.mod"): str(lent)}}), encoding="utf-8")
    return overlay


def _position(text: str) -> tuple[str, int]:
    path, line, *_ = re.split(r":(?=\d+(?::|$))", text, maxsplit=1)
    return path, int(line.split(":")[0])


def _why_not(run: Ran) -> str:
    """Return why a module was not vetted; raises ToolBroken when that is a fault of the tool.

    go's words are quoted only where they are about go.mod: elsewhere they may quote any file.
    """
    if newer := TOO_NEW.search(run.stderr):
        return f"it needs go {newer[1]}, which is not on this machine"
    if ABSENT.search(run.stderr):
        return "its dependencies are not on this machine (`go mod download` or `go mod vendor` fetches them)"
    if "no packages to vet" in run.stderr or "matched no packages" in run.stderr:
        return "no package of it is for this machine"
    said = next(
        (line for line in run.stderr.splitlines() if line.startswith("go: ")), "it could not load them"
    )
    raise ToolBroken(f"exit code {run.returncode}: {said[:300]}")
