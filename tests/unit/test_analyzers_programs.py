"""Tools on the PATH: what they once printed is read into findings, and what must not run is told apart."""

import json
from pathlib import Path

import pytest

from picoclaw.capabilities.analyzers.analyzer import Analyzer, Target, ToolBroken, ToolNotRun
from picoclaw.capabilities.analyzers.clippy import Clippy
from picoclaw.capabilities.analyzers.eslint import Eslint
from picoclaw.capabilities.analyzers.go_vet import GoVet, modules, points_outside, read_objects
from picoclaw.capabilities.analyzers.inside.check_rust import why_not
from picoclaw.capabilities.analyzers.project import Project
from picoclaw.capabilities.analyzers.review import ReviewExecutor, assemble
from picoclaw.capabilities.analyzers.running import Outcome
from picoclaw.capabilities.analyzers.rust_sources import has_macros, is_setting, reads_elsewhere, unstable
from picoclaw.capabilities.analyzers.shellcheck import Shellcheck
from picoclaw.capabilities.analyzers.survey import survey
from picoclaw.capabilities.findings import ToolRun
from picoclaw.capabilities.languages import language_of_script
from picoclaw.capabilities.tool import ToolOutput
from picoclaw.tests.support.polyglot import POLYGLOT
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

RECORDED = Path(__file__).parent.parent / "support" / "recorded"
"""What the real tools printed of POLYGLOT and a few files more."""

MORE = {
    "lib/go.mod": "module example.org/lib\n",
    "lib/wrong.go": "package lib\n",
    "wrong/Cargo.toml": "[package]\n",
    "wrong/src/lib.rs": "pub fn f() {}\n",
}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    root = make_repository(tmp_path / "r", {**POLYGLOT, **MORE})
    return Target(survey(root), Project(), tmp_path / "w")


def recorded(name: str, target: Target) -> ToolOutput:
    text = (RECORDED / f"{name}.json").read_text(encoding="utf-8")
    text = text.replace("@ROOT@", str(target.survey.root)).replace("@WORK@", str(target.workspace))
    return ToolOutput(returncode=0, stdout=text.encode(), stderr="", seconds=0.1)


def said(target: Target, *runs: dict[str, object]) -> ToolOutput:
    filled = [
        {"about": "", "returncode": 0, "stdout": "", "stderr": "", "flood": False, **run} for run in runs
    ]
    body = json.dumps({"version": "", "runs": filled})
    return ToolOutput(returncode=0, stdout=body.encode(), stderr="", seconds=0.1)


SEEN: dict[str, tuple[Analyzer, str, set[tuple[str, str, str, str, int]]]] = {
    "go-vet": (
        GoVet(), "1.26.8",
        {
            ("printf", "medium", "bug", "cmd/main.go", 6),
            ("compile", "high", "types", "lib/wrong.go", 4),
        },
    ),
    "clippy": (
        Clippy(), "0.1.95",
        {
            ("never_loop", "high", "bug", "rust/src/main.rs", 6),
            ("len_zero", "low", "style", "rust/src/main.rs", 3),
            ("unused_variables", "low", "dead-code", "rust/src/main.rs", 4),
            ("E0308", "high", "types", "wrong/src/lib.rs", 2),
        },
    ),
    "eslint": (
        Eslint(), "10.15.0",
        {("no-dupe-keys", "high", "bug", "web/page.js", 1), ("parse-error", "high", "syntax", "web/broken.js", 1)},
    ),
    "typescript-eslint": (
        Eslint("typescript", "typescript-eslint"), "10.15.0",
        {("no-duplicate-case", "medium", "bug", "web/page.ts", 4)},
    ),
    "shellcheck": (
        Shellcheck(), "0.11.0",
        {
            ("SC2115", "medium", "bug", "run.sh", 3),
            ("SC2086", "low", "bug", "run.sh", 3),
            ("SC2005", "info", "style", "run.sh", 4),
            ("SC1073", "high", "syntax", "bin/tool", 2),
            ("SC1072", "high", "syntax", "bin/tool", 3),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_what_a_tool_printed_becomes_findings_in_their_places(name: str, target: Target) -> None:
    tool, version, expected = SEEN[name]
    reading = tool.read(recorded(name, target), target)
    assert {(f.rule, f.severity, f.kind, f.path, f.line) for f in reading.findings} == expected
    assert len(reading.findings) == len(expected), "one finding was told twice"
    assert {f.tool for f in reading.findings} == {tool.name}
    assert reading.version == version


def test_a_go_module_without_its_dependencies_is_named_beside_those_that_were_vetted(target: Target) -> None:
    notes = GoVet().read(recorded("go-vet", target), target).notes
    assert len(notes) == 1
    assert notes[0].startswith("go vet: module far not done: its dependencies are not on this machine")


@pytest.mark.parametrize(
    ("stderr", "why"),
    [
        (
            "a.go:3:8: no required module provides package x.org/y; to add it:\n\tgo get x.org/y",
            "dependencies",
        ),
        ("a.go:3:8: missing go.sum entry for module providing package x", "dependencies"),
        ("go: x.org/y@v1.0.0: module lookup disabled by GOPROXY=off", "dependencies"),
        ("go: go.mod requires go >= 1.99 (running go 1.26; GOTOOLCHAIN=local)", r"needs go 1\.99"),
    ],
)
def test_a_go_module_that_cannot_be_loaded_here_is_no_fault(stderr: str, why: str, target: Target) -> None:
    with pytest.raises(ToolNotRun, match=why):
        GoVet().read(said(target, {"about": ".", "returncode": 1, "stderr": stderr}), target)


@pytest.mark.parametrize(
    ("stderr", "why"),
    [
        (
            "error: failed to get `serde` as a dependency\n  you may need to run without --offline",
            "dependencies",
        ),
        ("error: 'cargo-clippy' is not installed for the toolchain 'stable'", "no clippy"),
        ("error: rustup could not choose a version of cargo to run", "no clippy"),
    ],
)
def test_a_rust_workspace_that_cannot_be_checked_here_is_no_fault(
    stderr: str, why: str, target: Target
) -> None:
    with pytest.raises(ToolNotRun, match=why):
        Clippy().read(said(target, {"about": ".", "returncode": 101, "stderr": stderr}), target)
    bad = said(target, {"about": ".", "returncode": 101, "stderr": "error: no such command\nmore"})
    with pytest.raises(ToolBroken, match="exit code 101: error: no such command"):
        Clippy().read(bad, target)


def test_words_of_go_that_may_quote_any_file_are_not_passed_on(target: Target) -> None:
    stderr = "/etc/shadow:1: unrecognized instruction root:$6$secret\nasm: assembly failed"
    with pytest.raises(ToolBroken) as broken:
        GoVet().read(said(target, {"about": ".", "returncode": 1, "stderr": stderr}), target)
    assert "secret" not in str(broken.value)


def test_a_line_comment_cannot_put_a_finding_of_go_elsewhere(target: Target) -> None:
    stdout = json.dumps({"p": {"printf": [{"posn": "/etc/passwd:1:1", "message": "x"}]}})
    assert GoVet().read(said(target, {"about": ".", "stdout": stdout}), target).findings == ()


def test_go_vet_of_older_versions_prints_on_stderr_between_headings() -> None:
    text = '# example.org/a\n{\n"example.org/a": {"assign": [{"posn": "/r/a.go:1:2", "message": "m"}]}}\n# b\n{}\n'
    assert [list(found) for found in read_objects(text)] == [["example.org/a"], []]


def test_go_files_belong_to_the_nearest_module(tmp_path: Path) -> None:
    names = ["a.go", "m/go.mod", "m/x/b.go", "m/n/go.mod", "m/n/c.go", "vendor/v.go", "doc/d.md"]
    seen = survey(make_repository(tmp_path / "r", dict.fromkeys(names, "x\n")))
    files = GoVet().files(Target(seen, Project(), tmp_path))
    assert [file.path for file in files] == ["a.go", "m/n/c.go", "m/x/b.go"]
    assert modules(seen, files) == [".", "m", "m/n"]


@pytest.mark.parametrize(
    ("name", "text", "outside"),
    [
        ("go.mod", "module x\n\nreplace a.org/b => ../elsewhere\n", True),
        ("go.mod", "module x\n\nreplace a.org/b v1.0.0 => /home/u/b\n", True),
        ("go.mod", 'module x\n\nreplace (\n\ta.org/b => "../../b"\n)\n', True),
        ("go.work", "go 1.22\n\nuse ../other\n", True),
        ("go.work", "go 1.22\n\nuse (\n\t./a\n\t../other\n)\n", True),
        ("sub/go.mod", "module x\n\nreplace a.org/b => ../lib // as ../../x was\n", False),
        ("go.mod", "module x\n\nreplace a.org/b => c.org/d v1.2.3\n", False),
        ("go.work", "go 1.22\n\nuse (\n\t.\n\t./a\n)\n", False),
    ],
)
def test_a_module_that_uses_a_folder_outside_the_repository(
    name: str, text: str, outside: bool, tmp_path: Path
) -> None:
    seen = survey(make_repository(tmp_path / "r", {name: text, "lib/x.go": "package x\n"}))
    assert points_outside(seen) == (name if outside else "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('const A: &str = include_str!("../data.txt");\n', 0),
        ('\n\nconst A: &str = include_str!("../../data.txt");\n', 3),
        ('const A: &[u8] = include_bytes!("/etc/passwd");\n', 1),
        ('const A: &str = include_str! { "/etc/passwd" };\n', 1),
        ('const A: &str = include_str!(concat!("/etc", "/passwd"));\n', 1),
        ('const A: &str = std::include_str /* x */ !("/etc/passwd");\n', 1),
        ("use std::include_str as x;\n", 1),
        ('macro_rules! m { ($p:expr) => { include_str!($p) } }\nm!("/etc/passwd");\n', 1),
        ('include!(concat!(env!("OUT_DIR"), "/x.rs"));\n', 1),
        ('#[path = "/etc/passwd"]\nmod x;\n', 1),
        ('#[cfg_attr(all(), path = "../../../x.rs")]\nmod x;\n', 1),
        ('#[path = "other.rs"]\nmod x;\n', 0),
        ('let a = "\n//"; const B: &str = include_str!("/etc/passwd");\n', 2),
        ('macro_rules! m { ($n:ident, $p:expr) => { $n!($p) } }\nm!(include_str, "/etc/passwd");\n', 2),
        ('macro_rules! m { ($n:ident, $p:expr) => { $n!($p) } }\nm!(include, "/etc/passwd");\n', 2),
        ('macro_rules! m { ($m:meta) => { #[$m] mod x; } }\nm!(path = "/etc/passwd");\n', 2),
        ('#[path /* x */ = "/etc/passwd"]\nmod x;\n', 1),
        ("// include_str of a file\n/// include!(x)\nfn include() {}\n", 0),
        ('fn f(path: &str) { println!("{path} {p}", p = path); let path = "/etc/hosts"; }\n', 0),
        ('fn f() { let include = 1; println!("include"); }\n', 0),
    ],
)
def test_an_inclusion_in_rust_must_name_a_plain_path_inside(text: str, line: int) -> None:
    assert reads_elsewhere("src/main.rs", text, macros=has_macros(text)) == line


def test_what_chooses_a_compiler_is_not_shown_to_cargo() -> None:
    settings = [
        ".cargo/config.toml",
        "a/.cargo/config",
        "rust-toolchain.toml",
        "b/rust-toolchain",
        "clippy.toml",
    ]
    assert all(is_setting(path) for path in settings)
    assert not any(is_setting(path) for path in ["src/main.rs", "Cargo.toml", "cargo/config.toml"])
    assert unstable('cargo-features = ["profile-rustflags"]\n')
    assert not unstable('[package]\nname = "x"\n')


def package(
    name: str, kind: str = "lib", source: str | None = None, place: str = "/w/src"
) -> dict[str, object]:
    return {
        "name": name,
        "source": source,
        "manifest_path": f"{place}/Cargo.toml",
        "targets": [{"kind": [kind], "src_path": f"{place}/src/lib.rs"}],
    }


@pytest.mark.parametrize(
    ("packages", "why"),
    [
        ([package("a")], ""),
        ([package("a"), package("b", source="registry", place="/home/u/.cargo/b")], ""),
        ([package("a", "custom-build")], "it would run the build script of a"),
        ([package("a"), package("b", "custom-build", "registry")], "it would run the build script of b"),
        ([package("a"), package("m", "proc-macro", "registry")], "it would run the procedural macro of m"),
        ([package("a", place="/elsewhere")], "a names a place outside the repository"),
        ([package("a", place="/w/src/../../elsewhere")], "a names a place outside the repository"),
    ],
)
def test_a_check_that_would_run_code_is_not_made(packages: list[dict[str, object]], why: str) -> None:
    assert why_not({"packages": packages}, "/w/src") == why


def test_a_tool_that_flooded_or_was_killed_is_broken_and_not_silent(target: Target) -> None:
    for tool in (GoVet(), Clippy(), Eslint(), Shellcheck()):
        with pytest.raises(ToolBroken, match="48 MB"):
            tool.read(said(target, {"flood": True}), target)
        with pytest.raises(ToolBroken, match="signal 9"):
            tool.read(said(target, {"returncode": -9}), target)


@pytest.mark.parametrize("tool", [Eslint(), Shellcheck()])
def test_a_wrong_call_is_broken_with_the_tools_last_words(tool: Analyzer, target: Target) -> None:
    with pytest.raises(ToolBroken, match="exit code 2: Oops"):
        tool.read(said(target, {"returncode": 2, "stderr": "x\nOops\n"}), target)


@pytest.mark.parametrize(
    ("capability", "needs"),
    [
        ("go", "needs go on the PATH"),
        ("rust", "needs cargo on the PATH"),
        ("javascript", "needs eslint on the PATH"),
        ("shell", "needs shellcheck on the PATH"),
    ],
)
def test_a_language_is_ready_when_its_tool_is_there(
    capability: str, needs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ReviewExecutor().readiness(capability).needs == needs
    assert ReviewExecutor().readiness("code").ready, "the Python tools are here"
    assert not ReviewExecutor(analyzers=(GoVet(),)).readiness("code").ready
    program = needs.split()[1]
    for name in (program, "cargo-clippy"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    assert ReviewExecutor().readiness(capability).ready
    assert ReviewExecutor(analyzers=(GoVet(), Clippy(), Eslint(), Shellcheck())).readiness("code").ready


def test_the_reason_why_a_language_was_not_read_is_that_of_its_tool(target: Target) -> None:
    run = ToolRun(tool="go vet", status="not installed", detail="go is not on the PATH", languages=("go",))
    review = assemble("code", target.survey, [GoVet()], [Outcome(run)], 10)
    assert "go (2 files): not reviewed, go is not on the PATH" in review.notes
    assert "python (1 file): not reviewed, none of its tools ran" in review.notes
    assert "rust (2 files): not reviewed, this version has no analyzer for it" in review.notes


@pytest.mark.parametrize(
    ("path", "beginning", "language"),
    [
        ("bin/tool", b"#!/bin/sh\n", "shell"),
        ("bin/tool", b"#!/usr/bin/env bash\n", "shell"),
        ("bin/tool", b"#! /usr/local/bin/dash -e\n", "shell"),
        ("bin/tool", b"#!/usr/bin/env python3\n", ""),
        ("bin/tool", b"#!/bin/shout\n", ""),
        ("notes.txt", b"#!/bin/sh\n", ""),
    ],
)
def test_a_script_without_a_suffix_is_known_by_its_first_line(
    path: str, beginning: bytes, language: str
) -> None:
    assert language_of_script(path, beginning) == language
