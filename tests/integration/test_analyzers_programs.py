"""go vet, clippy, eslint and shellcheck over real repositories: faults found, and nothing foreign run."""

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from picoclaw.capabilities.analyzers.review import ReviewExecutor
from picoclaw.capabilities.findings import Review
from picoclaw.tests.support.polyglot import FAULTS, POLYGLOT, need, tool_homes
from picoclaw.tests.support.repositories import FolderContext, make_repository, review_folder, tool

# The first run of go on a machine compiles its standard library.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(150)]


@pytest.fixture(autouse=True)
def homes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in tool_homes().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def context(tmp_path: Path) -> FolderContext:
    return FolderContext(tmp_path / "node")


async def look(folder: Path, files: dict[str, str | bytes], language: str, context: FolderContext) -> Review:
    return await review_folder(make_repository(folder, files), language, context)


@pytest.mark.parametrize("language", FAULTS)
async def test_each_language_has_its_fault_found_by_its_own_tool_alone(
    language: str, tmp_path: Path, context: FolderContext
) -> None:
    need(language)
    review = await look(tmp_path / "r", POLYGLOT, language, context)
    name, rule, path, line, severity = FAULTS[language]
    assert (name, rule, path, line, severity) in {
        (f.tool, f.rule, f.path, f.line, f.severity) for f in review.findings
    }
    assert review.area == "code"
    assert review.looked_at == (language,)
    assert tool(review, name).status == "ok"
    assert tool(review, name).version
    assert name == "ruff" or {run.tool for run in review.tools} == {name}
    assert list(review.languages) == [language]
    assert review.notes == ()


async def test_a_repository_in_python_hears_nothing_of_other_tools(
    tmp_path: Path, context: FolderContext
) -> None:
    review = await look(tmp_path / "r", {"app.py": "import os\n"}, "code", context)
    assert [run.tool for run in review.tools] == ["mypy", "vulture", "radon", "ruff", "ruff format"]


async def test_two_languages_in_one_demand_are_one_review_of_both(
    tmp_path: Path, context: FolderContext
) -> None:
    need("go")
    review = await look(tmp_path / "r", POLYGLOT, "python+go", context)
    assert review.looked_at == ("go", "python")
    assert {"go vet", "mypy"} <= {run.tool for run in review.tools}
    assert "clippy" not in {run.tool for run in review.tools}


async def test_a_language_that_the_repository_does_not_have_is_nothing_to_do(
    tmp_path: Path, context: FolderContext
) -> None:
    review = await look(tmp_path / "r", {"app.py": "import os\n"}, "go", context)
    assert [(run.tool, run.status) for run in review.tools] == [("go vet", "nothing to do")]
    assert (review.languages, review.notes) == ({}, ())


async def test_a_tool_that_is_not_here_is_named_with_its_language_and_nothing_else_suffers(
    tmp_path: Path, context: FolderContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(bare))
    review = await look(tmp_path / "r", POLYGLOT, "code", context)
    assert review.looked_at == ("python",)
    assert "go (1 file): not reviewed, go is not on the PATH" in review.notes
    assert "shell (2 files): not reviewed, shellcheck is not on the PATH" in review.notes
    assert tool(review, "clippy").status == "not installed"
    assert tool(review, "ruff").status == "ok"


async def test_go_modules_vetted_loose_nested_and_without_their_dependencies(
    tmp_path: Path, context: FolderContext
) -> None:
    need("go")
    wrong = 'package {0}\n\nimport "fmt"\n\nfunc F() {{ fmt.Printf("%d", "{0}") }}\n'
    review = await look(
        tmp_path / "r",
        {
            "loose.go": wrong.format("loose"),
            "mod/go.mod": "module example.org/mod\n\ngo 1.21\n",
            "mod/in/in.go": wrong.format("in"),
            "far/go.mod": "module example.org/far\n\ngo 1.21\n\nrequire example.com/not/there v1.0.0\n",
            "far/far.go": 'package far\n\nimport "example.com/not/there"\n\nvar X = there.X\n',
            "new/go.mod": "module example.org/new\n\ngo 1.99\n",
            "new/new.go": "package new\n",
        },
        "go",
        context,
    )
    assert [(f.path, f.line, f.rule) for f in review.findings] == [
        ("loose.go", 5, "printf"),
        ("mod/in/in.go", 5, "printf"),
    ]
    said = [note for note in review.notes if note.startswith("go vet: module ")]
    assert len(said) == 2
    assert "module far not done: its dependencies are not on this machine" in said[0]
    assert "module new not done: it needs go 1.99" in said[1]
    assert tool(review, "go vet").status == "ok"


async def test_go_that_cannot_be_loaded_at_all_is_not_done_and_not_silent(
    tmp_path: Path, context: FolderContext
) -> None:
    need("go")
    files: dict[str, str | bytes] = {
        "go.mod": "module example.org/far\n\ngo 1.21\n",
        "far.go": 'package far\n\nimport _ "example.com/not/there"\n',
    }
    review = await look(tmp_path / "r", files, "go", context)
    assert tool(review, "go vet").status == "not asked"
    assert "dependencies are not on this machine" in tool(review, "go vet").detail
    assert review.looked_at == ()


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"build.rs": "fn main() { std::fs::write(MARK, []).unwrap(); }\n"}, "build script"),
        ({"src/lib.rs": "include!(concat!(env!(\"HOME\"), \"/x\"));\n"}, "includes a file"),
        ({"Cargo.toml": "[package]\nname = \"x\"\nversion = \"0.1.0\"\n[lib]\nproc-macro = true\n"}, "procedural macro"),
        ({"Cargo.toml": "[package]\nname = \"x\"\nversion = \"0.1.0\"\n[lib]\npath = \"../../x.rs\"\n"}, "outside"),
        (
            {"Cargo.toml": "[package]\nname = \"x\"\nversion = \"0.1.0\"\n[dependencies]\nnot-there = \"1\"\n"},
            "dependencies are not on this machine",
        ),
    ],
    ids=["build script", "inclusion", "procedural macro", "target outside", "dependencies"],
)  # fmt: skip
async def test_rust_whose_check_would_run_or_read_foreign_things_is_not_checked(
    files: dict[str, str], why: str, tmp_path: Path, context: FolderContext
) -> None:
    need("rust")
    mark = tmp_path / "mark"
    base = {"Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\n', "src/lib.rs": "pub fn f() {}\n"}
    written = {name: text.replace("MARK", f'"{mark}"') for name, text in {**base, **files}.items()}
    review = await look(tmp_path / "r", dict(written), "rust", context)
    assert tool(review, "clippy").status == "not asked"
    assert why in tool(review, "clippy").detail
    assert any(note.startswith("rust (") and why in note for note in review.notes), review.notes
    assert not mark.exists()


HOSTILE_RUST = {
    "Cargo.toml": (
        '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\nbuild = false\n'
        '[lints.clippy]\nall = "allow"\nlen_zero = "allow"\n'
    ),
    "src/main.rs": "fn main() {\n    let v: Vec<u8> = Vec::new();\n    if v.len() == 0 {\n        println!();\n    }\n}\n",
    "build.rs": "fn main() { std::fs::write(MARK, []).unwrap(); }\n",
    ".cargo/config.toml": '[build]\nrustc-wrapper = "TRAP"\n[target.x86_64-unknown-linux-gnu]\nlinker = "TRAP"\n',
    "clippy.toml": "msrv = \"1.0\"\n",
}  # fmt: skip
HOSTILE_GO = {
    "go.mod": "module example.org/x\n\ngo 1.21\n\ntoolchain go1.99.0\n",
    "a.go": 'package x\n\nimport "fmt"\n\n//go:generate TRAP\n\nfunc F() { fmt.Printf("%d", "x") }\n',
    "c.go": 'package x\n\n/*\n#cgo CFLAGS: -fplugin=TRAP\n#cgo LDFLAGS: -fuse-ld=TRAP\n#include "x.h"\n*/\nimport "C"\n',
    "vendor.sh": "TRAP\n",
}
HOSTILE_JS = {
    "eslint.config.js": 'require("fs").writeFileSync(MARK, "");\nmodule.exports = [{ ignores: ["**"] }];\n',
    "eslint.config.mjs": 'import fs from "node:fs";\nfs.writeFileSync(MARK, "");\nexport default [];\n',
    ".eslintrc.js": 'require("fs").writeFileSync(MARK, "");\nmodule.exports = { root: true };\n',
    ".eslintrc.json": '{"root": true, "ignorePatterns": ["**"]}\n',
    ".eslintignore": "**\n",
    "package.json": '{"eslintConfig": {"extends": "./.eslintrc.js"}}\n',
    "eslint-formatter-json/index.js": 'require("fs").writeFileSync(MARK, "");\nmodule.exports = () => "[]";\n',
    "web/[a] *.js": "const t = { x: 1, x: 2 };\nmodule.exports = t;\n",
    "web/--fix.js": "/* eslint no-such/rule: 2 */\nconst t = { x: 1, x: 2 };\nmodule.exports = t;\n",
}
HOSTILE_SHELL = {
    ".shellcheckrc": "disable=all\nexternal-sources=true\n",
    "a.sh": "#!/bin/sh\n# shellcheck source=/etc/passwd\n. ./x\nrm -rf $1/*\n",
    "--version.sh": "#!/bin/sh\nrm -rf $1/*\n",
    "b;touch MARKNAME.sh": "#!/bin/sh\nrm -rf $1/*\n",
}


@pytest.mark.parametrize(
    ("language", "files", "expected"),
    [
        ("rust", HOSTILE_RUST, [("src/main.rs", "len_zero")]),
        ("go", HOSTILE_GO, [("a.go", "printf")]),
        ("javascript", HOSTILE_JS, [("web/--fix.js", "no-dupe-keys"), ("web/[a] *.js", "no-dupe-keys")]),
        (
            "shell",
            HOSTILE_SHELL,
            [("--version.sh", "SC2115"), ("a.sh", "SC2115"), ("b;touch MARKNAME.sh", "SC2115")],
        ),
    ],
)
async def test_a_hostile_repository_runs_nothing_and_hides_nothing(
    language: str,
    files: dict[str, str],
    expected: list[tuple[str, str]],
    tmp_path: Path,
    context: FolderContext,
) -> None:
    need(language)
    marks, written = set_traps(tmp_path, files)
    repository = make_repository(tmp_path / "r", dict(written))
    review = await review_folder(repository, language, context)
    assert os.listdir(marks) == [], "the repository ran code"
    assert {run.status for run in review.tools} == {"ok"}, review.tools
    seen = {(f.path, f.rule) for f in review.findings}
    assert set(expected) <= seen, seen
    # What it was given is as it was: --fix would have changed it.
    assert all((repository / name).read_text(encoding="utf-8") == text for name, text in written.items())


@pytest.mark.parametrize(
    ("language", "files", "argv"),
    [
        ("rust", HOSTILE_RUST, ["cargo", "check", "--offline"]),
        ("go", HOSTILE_GO, ["go", "generate", "./..."]),
        ("javascript", HOSTILE_JS, ["eslint", "web"]),
    ],
)
def test_the_traps_work(language: str, files: dict[str, str], argv: list[str], tmp_path: Path) -> None:
    """A careless call springs them, so their silence means something."""
    need(language)
    marks, written = set_traps(tmp_path, files)
    repository = make_repository(tmp_path / "r", dict(written))
    subprocess.run(argv, cwd=repository, capture_output=True, timeout=60, check=False)
    assert os.listdir(marks)


def set_traps(folder: Path, files: dict[str, str]) -> tuple[Path, dict[str, str]]:
    """Fill in the trap, a program that leaves a mark, and the place of the marks."""
    marks, trap = folder / "marks", folder / "trap"
    marks.mkdir()
    trap.write_text(f"#!/bin/sh\necho > {marks}/program\nexit 1\n", encoding="utf-8")
    trap.chmod(0o755)
    return marks, {
        name: text.replace("TRAP", str(trap)).replace("MARK,", f'"{marks}/code",')
        for name, text in files.items()
    }


async def test_a_file_of_the_node_never_comes_into_a_report(tmp_path: Path, context: FolderContext) -> None:
    need("rust")
    need("go")
    secret = tmp_path / "secret.txt"
    secret.write_text("correct-horse-battery\n", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "other.go").write_text("package other\n\ncorrect-horse-battery\n", encoding="utf-8")
    (tmp_path / "other" / "go.mod").write_text("module a.org/other\n", encoding="utf-8")
    review = await look(
        tmp_path / "r",
        {
            "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n',
            "src/main.rs": f'const _: () = panic!(include_str!("{secret}"));\nfn main() {{}}\n',
            "go.mod": f"module a.org/x\n\ngo 1.21\n\nreplace a.org/other => {tmp_path}/other\n",
            "a.go": f'package x\n\nimport _ "a.org/other"\n\n//line {secret}:1\nvar x int = "y"\n',
        },
        "rust+go",
        context,
    )
    assert "horse" not in review.model_dump_json()
    assert {run.tool: run.status for run in review.tools} == {"clippy": "not asked", "go vet": "not asked"}


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        ("sleep 300 & sleep 300", "timed out", "ended after 2 s"),
        ("trap '' TERM INT; while :; do sleep 1; done", "timed out", "ended after 2 s"),
        ("head -c 60000000 /dev/zero", "failed", "it printed more than 48 MB"),
        ("head -c 300 /dev/urandom", "failed", "its output is not JSON"),
        ("echo '{\"comments\": [{}]}'", "failed", "has a form that this version does not know"),
        ("echo '[]'", "failed", "has a form that this version does not know"),
        ("echo fell over >&2; exit 9", "failed", "exit code 9: fell over"),
        ("kill -SEGV $$", "failed", "ended by signal 11"),
    ],
    ids=["hangs", "ignores signals", "floods", "binary", "another form", "a list", "falls over", "crashes"],
)
async def test_a_tool_that_misbehaves_is_named_and_nothing_of_it_is_left(
    program: str,
    status: str,
    words: str,
    tmp_path: Path,
    context: FolderContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    fake = tools / "shellcheck"
    fake.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\n{program}\n', encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    folder = make_repository(tmp_path / "r", {"a.sh": "#!/bin/sh\n"})
    executor = ReviewExecutor(tool_timeout=timedelta(seconds=2))
    before = set(psutil.Process().children(recursive=True))
    review = await review_folder(folder, "shell", context, executor)
    run = tool(review, "shellcheck")
    assert (run.status, review.findings) == (status, ())
    assert words in run.detail
    assert review.looked_at == ()
    assert set(psutil.Process().children(recursive=True)) <= before
