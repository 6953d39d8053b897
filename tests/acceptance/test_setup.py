"""`make demo` on a machine that lacks something: one line that says what, and nothing is changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "awk", "cat", "dirname", "grep", "head", "mkdir", "rm", "sed", "tail", "touch")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with a checkout's set-up files, and `bin`, all that is on the PATH: no git, no python3."""
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (programs / tool).symlink_to(found)
    return tmp_path


def program(machine: Path, name: str, body: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def set_up(machine: Path, **environment: str) -> str:
    """What the set-up says when it gives up: exactly one line."""
    ran = subprocess.run(
        [str(machine / ".ci" / "setup"), "demo"],
        env={"PATH": str(machine / "bin"), "HOME": os.environ["HOME"], **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1, ran.stderr
    return ran.stderr


def test_without_git(machine: Path) -> None:
    program(machine, "python3", f'exec {sys.executable} "$@"')

    assert "git is not on the PATH: install it" in set_up(machine)
    assert not (machine / ".venv").exists()


def test_without_python(machine: Path) -> None:
    program(machine, "git", "exit 0")

    assert "python3 is not on the PATH: install Python 3.11 or newer" in set_up(machine)
    assert not (machine / ".venv").exists()


OLD = 'case "$1" in --version) echo Python 3.9.6 ;; *) exit 1 ;; esac'


def test_with_a_python_that_is_too_old(machine: Path) -> None:
    program(machine, "git", "exit 0")
    program(machine, "python3", OLD)

    assert "python3 is Python 3.9.6: install Python 3.11 or newer" in set_up(machine)
    assert "PYTHON=python3 is Python 3.9.6: Python 3.11 or newer is needed" in set_up(
        machine, PYTHON="python3"
    )
    assert "PYTHON=python4 is not a program" in set_up(machine, PYTHON="python4")
    assert not (machine / ".venv").exists()


def test_a_newer_python_beside_an_old_python3_is_found(machine: Path) -> None:
    program(machine, "git", "exit 0")
    program(machine, "python3", OLD)
    program(machine, "python3.12", 'case "$*" in --version) echo Python 3.12.9 ;; *venv*) exit 1 ;; esac')

    # It got past the search, and on to what this one lacks.
    assert "Python 3.12.9 has no venv module: install it" in set_up(machine)


def test_without_a_package_index(machine: Path) -> None:
    program(machine, "git", "exit 0")

    said = set_up(
        machine, PYTHON=sys.executable, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_CONFIG_FILE=os.devnull
    )

    assert "cannot install uv: " in said
    assert "is a package index reachable? PIP_INDEX_URL names another one" in said
    assert not (machine / ".venv" / ".demo").exists()
