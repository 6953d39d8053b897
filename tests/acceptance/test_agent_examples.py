"""The examples with agents: the one command of each README, in real processes, prints what the README shows."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from picoclaw.capabilities.agent.fake_llm.script_file import load_script
from picoclaw.tests.support.command import PICOCLAW, command_environment
from picoclaw.tests.support.docs import ROOT, blocks

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(170)]

EXAMPLES = ("code-change", "python-function", "research", "wrapped-cli")
READER = re.compile(r"reader-[123]")


def run(example: str, home: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Do what the README of a copy of the example says."""
    shutil.copytree(ROOT / "examples" / example, folder / example)
    shutil.copy(ROOT / "examples" / "swarm.sh", folder)
    path = f"{PICOCLAW.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "run.sh"],
        cwd=folder / example,
        env=command_environment(home, {"PATH": path, "PICOCLAW_LLM_MODEL": ""}),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_prints_what_its_readme_shows(example: str, home: Path, tmp_path: Path) -> None:
    ran = run(example, home, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # Which worker takes what is chance.
    said = READER.sub("reader", ran.stderr + ran.stdout)
    readme = (ROOT / "examples" / example / "README.md").read_text(encoding="utf-8")
    (shown,) = [block.text for block in blocks(readme) if block.language == "text"]
    for line in filter(None, shown.splitlines()):
        assert READER.sub("reader", line) in said, said
    if example == "research":
        # Three processes did the three that do not wait for each other.
        by = re.findall(r"^- `(?:speed|safety|cost)`: .*, by (reader-[123])$", ran.stdout, re.MULTILINE)
        assert len(by) == 3
        assert set(by) == {"reader-1", "reader-2", "reader-3"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_scripts_of_an_example_are_right(example: str) -> None:
    folder = ROOT / "examples" / example
    subprocess.run(["sh", "-n", "run.sh"], cwd=folder, timeout=20, check=True)
    assert load_script(folder / "script.yaml").rules


def test_each_example_with_one_command_is_run() -> None:
    assert sorted(path.parent.name for path in (ROOT / "examples").glob("*/run.sh")) == sorted(EXAMPLES)
