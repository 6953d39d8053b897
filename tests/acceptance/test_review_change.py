"""The review of a change, as people and CI systems ask for it: --diff, --sarif, the sample workflow file."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from picoclaw.tests.support.command import PICOCLAW, RunPicoclaw, SpawnPicoclaw, command_environment
from picoclaw.tests.support.polyglot import POLYGLOT, need, tool_homes
from picoclaw.tests.support.repositories import make_repository, run_git

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(150)]

ROOT = Path(__file__).parents[2]
SARIF = json.loads((ROOT / "tests" / "support" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
WORKFLOW = ROOT / "examples" / "ci" / "github-actions.yml"

WEAK = '"""Weak."""\n\nimport subprocess\n\n\ndef run(line: str) -> None:\n    """Run a line."""\n    subprocess.call(line, shell=True)\n'
"""bandit B602, of high severity, in line 8."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The polyglot on `main`, cloned as CI systems do, with a branch that adds one file and one line."""
    origin = make_repository(tmp_path / "origin", {**POLYGLOT, "old.py": WEAK}, git=True)
    run_git(tmp_path, "clone", "--quiet", str(origin), "project")
    folder = tmp_path / "project"
    run_git(folder, "switch", "--quiet", "--create", "work")
    (folder / "app.py").write_text('"""App."""\n\nimport os\nimport sys\n', encoding="utf-8")
    (folder / "weak.py").write_text(WEAK, encoding="utf-8")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", "work")
    return folder


def results(log: Mapping[str, Any]) -> dict[str, set[tuple[str, int]]]:
    """The places that each tool names."""
    jsonschema.Draft7Validator(SARIF).validate(log)
    return {
        run["tool"]["driver"]["name"]: {
            (place["artifactLocation"]["uri"], place["region"]["startLine"])
            for result in run["results"]
            for place in [result["locations"][0]["physicalLocation"]]
        }
        for run in log["runs"]
    }


def test_the_sample_workflow_file_does_what_it_says(project: Path, home: Path) -> None:
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["review"]["steps"]
    workspace, summary = project.parent, project.parent / "summary.md"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (wanted,) = [
        m[1]
        for step in steps
        if (m := re.search(r"pip install '\./picoclaw-swarm\[(\w+)\]'", step.get("run", "")))
    ]
    assert wanted in extras
    checkout = next(step for step in steps if step.get("with", {}).get("path") == "project")
    assert checkout["with"]["fetch-depth"] == 0

    codes = {}
    for step in steps:
        if "run" not in step or "pip install" in step["run"]:
            continue
        given = {
            name: value.replace("${{ github.base_ref }}", "main")
            for name, value in step.get("env", {}).items()
        }
        assert "${{" not in step["run"] + "".join(given.values())
        path = f"{PICOCLAW.parent}:{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace / step.get("working-directory", "."),
            env=command_environment(home, {**tool_homes(), **given, "PATH": path, "GITHUB_STEP_SUMMARY": str(summary)}),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        codes[step["name"]] = (ran.returncode, ran.stderr)

    code, said = codes["Review the change"]
    assert code == 1, said
    assert "findings of severity high or worse (--fail-on)" in said
    assert codes["Show the report"][0] == 0
    shown = summary.read_text(encoding="utf-8")
    assert "Review of the change `origin/main..working tree`: 2 files, 9 lines; " in shown
    assert re.search(r"; [1-9]\d* findings elsewhere were left out", shown)
    upload = next(step for step in steps if "upload-sarif" in step.get("uses", ""))
    found = results(json.loads((workspace / upload["with"]["sarif_file"]).read_text(encoding="utf-8")))
    assert found["bandit"] == {("weak.py", 8)}
    assert ("app.py", 4) in found["ruff"]
    assert {path for places in found.values() for path, _ in places} == {"app.py", "weak.py"}
    if shutil.which("go"):
        assert found["go vet"] == set(), "it ran, and its finding lies elsewhere"


def test_a_change_that_changes_nothing_ends_well_and_sends_nothing(
    run_picoclaw: RunPicoclaw, project: Path, tmp_path: Path
) -> None:
    report, sarif = tmp_path / "report.md", tmp_path / "review.sarif"
    words = ["run", "Review this repository", "--diff", "work", "--fail-on", "info"]
    ran = run_picoclaw(*words, "--output", str(report), "--sarif", str(sarif), cwd=project)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "nothing changed in work..working tree: there is nothing to review\n"
    assert "nothing changed" in report.read_text(encoding="utf-8")
    assert results(json.loads(sarif.read_text(encoding="utf-8"))) == {"picoclaw": set()}
    ran = run_picoclaw(*words, "--json", cwd=project)
    assert json.loads(ran.stdout)["report"] is None
    assert run_picoclaw(*words, "--sarif", "-", cwd=project).stdout.startswith("{")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--diff", "nope"], "has no commit, branch or tag 'nope'"),
        (["--diff=--output=x"], "begins with '-'"),
        (["--diff", ""], "--diff is empty"),
        (["--diff", "main..work"], "is a range"),
        (["--sarif", "/nowhere/x.sarif"], "its folder does not exist"),
        (["--sarif", "."], "is a folder"),
        (["--sarif", "-", "--json"], "both want stdout"),
        (["--sarif", ""], "--sarif is empty"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_sent(
    words: list[str], said: str, run_picoclaw: RunPicoclaw, project: Path, home: Path
) -> None:
    ran = run_picoclaw("run", "Review this repository", *words, cwd=project)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""
    assert not (home / ".picoclaw").exists()
    assert run_git(project, "status", "--porcelain") == ""


def test_a_specialist_for_three_languages_reviews_a_change_and_gives_sarif(
    run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw, project: Path, tmp_path: Path
) -> None:
    need("go")
    (project / "cmd" / "more.go").write_text(
        'package main\n\nimport "fmt"\n\nfunc F() { fmt.Printf("%d", "x") }\n'
    )
    coordinator = spawn_picoclaw("--swarm.role", "coordinator", "--swarm.nats.embedded")
    specialist = spawn_picoclaw(
        "--swarm.role", "specialist", "--swarm.capabilities", "rust,go,python", "--swarm.name", "polyglot",
        "--swarm.nats.embedded", env=tool_homes(),
    )  # fmt: skip
    for node in (coordinator, specialist):
        node.expect("Node joined swarm", 20)

    ran = run_picoclaw(
        "dispatch", "Vet it", "-c", "go", "--diff", "main", "--repo", ".", "--json", cwd=project, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    ended = json.loads(ran.stdout)
    assert [(f["path"], f["line"], f["tools"]) for f in ended["report"]["findings"]] == [
        ("cmd/more.go", 5, ["go vet"])
    ]
    assert ended["report"]["areas"][0]["node"] == "polyglot"
    assert ended["report"]["change"]["left_out"] == 1, "that of cmd/main.go"

    printed = run_picoclaw("result", ended["request"], "--sarif")
    assert printed.returncode == 0, printed.stderr
    assert results(json.loads(printed.stdout))["go vet"] == {("cmd/more.go", 5)}
    written = run_picoclaw("result", ended["request"], "--sarif", str(tmp_path / "x.sarif"))
    assert "Review of the change" in written.stdout
    assert json.loads((tmp_path / "x.sarif").read_text()) == json.loads(printed.stdout)
    refused = run_picoclaw("result", f"{ended['request']}.task", "--sarif")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--sarif takes a whole request" in refused.stderr

    # `code` goes to the same node by its languages, and all tools of its machine look.
    ran = run_picoclaw(
        "dispatch", "Look", "-c", "code", "--diff", "main", "--repo", ".", "--json", cwd=project, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    assert {f["path"] for f in json.loads(ran.stdout)["report"]["findings"]} == {"app.py", "cmd/more.go"}
