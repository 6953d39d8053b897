"""The command answers: what it can do, which version it is, and what it does not know."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import picoclaw
from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


def test_help_names_the_roles_and_the_first_verbs(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("--help")

    assert (ran.returncode, ran.stderr) == (0, "")
    for word in ("run", "dispatch", "describe", "coordinator", "--swarm.dashboard"):
        assert word in ran.stdout


@pytest.mark.timeout(120)  # some two dozen processes
def test_each_verb_that_help_lists_explains_itself(run_picoclaw: RunPicoclaw) -> None:
    listed = run_picoclaw("--help").stdout.partition("Verbs:\n")[2].partition("\n\n")[0]
    verbs = re.findall(r"^  (\w+)  ", listed, re.MULTILINE)
    assert verbs

    helped = {verb: run_picoclaw(verb, "--help") for verb in verbs}

    assert {
        verb: ran.stderr for verb, ran in helped.items() if ran.returncode or "Usage: " not in ran.stdout
    } == {}
    assert [line for ran in helped.values() for line in ran.stdout.splitlines() if len(line) > 80] == []


def test_version(run_picoclaw: RunPicoclaw) -> None:
    assert picoclaw.__version__ in run_picoclaw("--version").stdout


def test_python_m_is_the_same_command(run_picoclaw: RunPicoclaw, home: Path) -> None:
    as_module = subprocess.run(
        [sys.executable, "-m", "picoclaw", "--help"],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    # How it was called is all that may differ.
    assert as_module.stdout.replace("python -m picoclaw", "picoclaw") == run_picoclaw("--help").stdout


def test_it_leaves_nothing_in_the_home(run_picoclaw: RunPicoclaw, home: Path) -> None:
    before = sorted(home.rglob("*"))

    run_picoclaw("--help")
    run_picoclaw("--version")

    assert sorted(home.rglob("*")) == before


def test_an_unknown_verb_is_named_and_ends_with_2(spawn_picoclaw: SpawnPicoclaw) -> None:
    process = spawn_picoclaw("dispach", "hello")

    process.expect("dispach", timeout=10)

    assert process.wait() == 2
    assert process.stdout == ""
