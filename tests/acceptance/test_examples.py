"""The examples: the commands of each README as typed, in its folder, on a real local swarm."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from picoclaw.tests.support.command import PICOCLAW, SpawnPicoclaw, command_environment
from picoclaw.tests.support.docs import ROOT, blocks
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

Ran = subprocess.CompletedProcess[str]


@dataclass
class Readme:
    """The README of one example, typed line by line in a copy of its folder."""

    name: str
    home: Path
    folder: Path
    spawn: SpawnPicoclaw
    left: list[str] = field(init=False)
    """The command lines that were not typed yet."""

    def __post_init__(self) -> None:
        text = (ROOT / "examples" / self.name / "README.md").read_text(encoding="utf-8")
        self.left = [
            line
            for block in blocks(text)
            if block.language == "bash"
            for line in block.text.splitlines()
            if line
        ]

    def start_nodes(self) -> None:
        """Type the lines that start nodes, each in a terminal of its own, and wait until they serve."""
        begun = []
        while self.left[0].startswith("picoclaw --"):
            words = shlex.split(self.left.pop(0))
            begun.append(self.spawn(*words[1:], cwd=self.folder))
        assert len(begun) >= 2
        for node in begun:
            serving(node)

    def type(self, *, again: bool = False) -> Ran:
        """Type the next line in a shell; with `again` it stays the next one."""
        line = self.left[0] if again else self.left.pop(0)
        path = f"{PICOCLAW.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=command_environment(self.home, {"PATH": path}),
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    def does(self) -> str:
        """Type the next line, which must do what it says, and return what it printed."""
        line = self.left[0]
        ran = self.type()
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        return ran.stdout


@pytest.fixture
def readme(
    request: pytest.FixtureRequest,
    home: Path,
    tmp_path: Path,
    spawn_picoclaw: SpawnPicoclaw,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Readme]:
    # A worker's programs are found where the shell of its user finds them.
    monkeypatch.setenv("PATH", f"{PICOCLAW.parent}{os.pathsep}{os.environ['PATH']}")
    name = request.param
    folder = shutil.copytree(ROOT / "examples" / name, tmp_path / name)
    started = Readme(name, home, folder, spawn_picoclaw)
    started.start_nodes()
    yield started
    assert started.left == [], "not every line of the README was typed"


def in_the_readme(name: str) -> list[str]:
    """The lines of output that the README shows."""
    text = (ROOT / "examples" / name / "README.md").read_text(encoding="utf-8")
    return [
        line for block in blocks(text) if block.language == "text" for line in block.text.splitlines() if line
    ]


@pytest.mark.parametrize("readme", ["licences"], indirect=True)
def test_licences_of_many_repositories_in_one_table(readme: Readme) -> None:
    planned = readme.does()
    assert "4 tasks, joined by table; nothing was sent" in planned
    assert re.search(r"look-1 +licence +- +alpha +alpha", planned)

    report = readme.does()
    for line in in_the_readme("licences"):
        assert line in report.splitlines()

    found = json.loads(readme.does())
    assert (found["state"], found["partial"]) == ("done", False)
    assert {row["repository"]: row["licence"] for row in found["report"]["rows"]} == {
        "alpha": "MIT",
        "gamma": "ISC",
    }

    assert readme.does() == report


@pytest.mark.parametrize("readme", ["sharded-tests"], indirect=True)
def test_sharded_tests_with_one_report_that_fails_when_a_test_does(readme: Readme) -> None:
    report = readme.does()
    assert "# Tests, sharded over the workers" in report
    assert "3 rows from 3 of 3 tasks: 5 tests, 4 passed, 0 failed, 0 errors, 1 skipped" in report
    assert set(re.findall(r"\| shard \d of 3 \| (\w+)", report)) <= {"left", "right"}

    readme.does()  # a test that fails is written
    failed = readme.type()
    assert failed.returncode == 1, failed.stderr
    assert "**Failed: 1 failed.**" in failed.stdout
    assert "tests.test_broken::test_broken" in failed.stdout
    assert "failed: error: 1 failed" in failed.stderr.splitlines()[-1]

    readme.does()  # and taken away again
    some = json.loads(readme.does())
    assert some["report"]["totals"]["tests"] == 4


@pytest.mark.timeout(150)
@pytest.mark.parametrize("readme", ["nightly"], indirect=True)
def test_a_nightly_job_on_the_node_with_the_label_once_a_night(readme: Readme) -> None:
    first = readme.type()
    assert first.returncode == 0, first.stderr
    assert re.search(r"job +running on large", first.stderr)
    assert first.stdout.startswith("Nightly report of ")
    assert re.search(r"^in use: \d+% of /", first.stdout, re.MULTILINE)

    nowhere = readme.type()
    assert nowhere.returncode == 1
    assert "no folder /not/there" in nowhere.stderr

    again = readme.type()
    assert "(sent before: following it)" in again.stderr
    assert again.stdout == first.stdout

    readme.does()  # the workflow is put into its folder
    assert re.search(
        r"^nightly +folder\? +1 +.*/\.picoclaw/workflows/nightly\.yaml", readme.does(), re.MULTILINE
    )

    # The coordinator looks at its folder every now and then.
    def by_name() -> str:
        ran = readme.type(again=True)
        return ran.stdout if ran.returncode == 0 else ""

    assert "Nightly report of " in wait_for(by_name, 20)
    readme.left.pop(0)

    assert "recurring request nightly: 15 3 * * * (Europe/Berlin)" in readme.does()
    assert re.search(r"^Next: .* 03:15 CES?T$", readme.does(), re.MULTILINE)
    assert readme.does().startswith("r-")


def test_each_example_has_a_readme_and_stands_in_a_test() -> None:
    folders = {path.parent for path in (ROOT / "examples").glob("*/workflow.yaml")}
    # Those with a script of their own stand in test_agent_examples.py.
    told = {folder.name for folder in folders if not (folder / "run.sh").exists()}
    assert told == {"licences", "sharded-tests", "nightly"}
