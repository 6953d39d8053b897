"""docs/quickstart.md from its second section on, line by line as typed, in one home and one repository."""

import shlex
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.docs import Block, blocks, document
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(150)]

TEXT = document("quickstart.md")


def section(number: int) -> list[Block]:
    """The blocks of a section."""
    return [block for block in blocks(TEXT) if block.heading.startswith(f"{number}. ")]


def lines(number: int) -> list[list[str]]:
    """The arguments of the picoclaw commands of a section."""
    found = [words for block in section(number) if block.language == "bash" for words in block.commands()]
    return [words[1:] for words in found if words[0] == "picoclaw"]


def test_the_quick_start_as_typed(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, home: Path, tmp_path: Path
) -> None:
    here = make_repository(tmp_path / "project", {"app.py": "import os\n"}, git=True)
    coordinator, worker, *rest = lines(2)
    for node in (spawn_picoclaw(*coordinator), spawn_picoclaw(*worker)):
        serving(node)

    said = []
    for words in rest:
        ran = run_picoclaw(*words, cwd=here)
        assert ran.returncode == 0, f"picoclaw {shlex.join(words)}: {ran.stderr}"
        said.append(ran.stdout)
    assert "# Code review: project" in said[0]
    assert "# Code review: project" in said[-1], "by the beginning of its id"

    (file,) = (block for block in section(3) if block.language == "yaml")
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir()
    (folder / "words.yaml").write_text(file.text, encoding="utf-8")
    shown, asked = lines(3)
    ran = run_picoclaw(*shown)
    assert "words" in ran.stdout
    ran = run_picoclaw(*asked)
    assert (ran.returncode, "5" in ran.stdout) == (0, True), ran.stdout + ran.stderr

    (down,) = lines(5)
    assert run_picoclaw(*down).returncode == 0
    wait_for(lambda: run_picoclaw("health").returncode == 1, 10, "no node is left")


@pytest.mark.long
def test_the_step_with_a_model_as_typed(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    here = make_repository(tmp_path / "project", {"app.py": "import os\n"}, git=True)
    serve, asked, described = lines(4)
    played = spawn_picoclaw(*serve[:-1], "0")
    for name in ("PICOCLAW_LLM_MODEL", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"):
        played.expect(f"export {name}=", 30)
    told = dict(
        line.removeprefix("export ").split("=", 1)
        for line in played.stdout.splitlines()
        if line.startswith("export ")
    )
    coordinator, worker, *_ = lines(2)
    for node in (spawn_picoclaw(*coordinator, env=told), spawn_picoclaw(*worker, env=told)):
        serving(node)

    ran = run_picoclaw(*asked, cwd=here)

    assert ran.returncode == 0, ran.stderr
    assert "This is a rehearsal" in ran.stdout
    assert "Spent:" in run_picoclaw(*described).stdout
    run_picoclaw("down")
