"""docs/EXAMPLES.md: the laptop's lines and the program, run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw, command_environment
from picoclaw.tests.support.docs import blocks, document
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

BLOCKS = blocks(document("EXAMPLES.md"))
LAPTOP = [block for block in BLOCKS if block.heading == "A laptop"]
PROGRAM = next(block for block in BLOCKS if block.language == "python")


def test_the_laptop_and_the_program(
    run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw, home: Path, tmp_path: Path
) -> None:
    small = make_repository(tmp_path / "small", {"a.py": '"""A."""\n\n\ndef f():\n    pass\n'})
    lines = [words for block in LAPTOP if block.language == "bash" for words in block.commands()]
    init, validate, coordinator, worker, dispatch, down = [words[1:] for words in lines]

    assert run_picoclaw(*init).returncode == 0
    settings = next(block for block in LAPTOP if block.language == "yaml")
    file = home / ".picoclaw" / "config.yaml"
    assert file.exists()
    file.write_text(settings.text, encoding="utf-8")
    assert run_picoclaw(*validate).stdout == f"{file}: ok\n"
    nodes = [spawn_picoclaw(*args) for args in (coordinator, worker)]
    for node in nodes:
        serving(node)

    ran = run_picoclaw(*dispatch, cwd=small, timeout=50)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("# Code review: small")

    program = subprocess.run(
        [sys.executable, "-c", PROGRAM.text],
        env=command_environment(home),
        cwd=small,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (program.returncode, program.stderr) == (0, "")
    assert "finding" in program.stdout

    assert run_picoclaw(*down).returncode == 0
    assert [node.finish() for node in nodes] == [0, 0]
