"""docs/workflows.md: its files and commands as typed, and that its tables have every key."""

import re
from pathlib import Path

import pytest

from picoclaw.roles.planning.inputs import Input
from picoclaw.roles.planning.template import read_template
from picoclaw.roles.planning.template_model import Template, TemplateDefaults, TemplateMatch, TemplateTask
from picoclaw.roles.synthesis.join import JOINS
from picoclaw.roles.synthesis.table_options import OF_TASK, TableOptions
from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.docs import blocks, document
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

TEXT = document("workflows.md")


def section(heading: str) -> str:
    """The text below a heading, up to the next one of its kind."""
    return TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def keys(text: str) -> list[set[str]]:
    """The first column of each table."""
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) for table in tables]


def test_its_files_and_commands_work_as_typed(run_picoclaw: RunPicoclaw, home: Path, tmp_path: Path) -> None:
    project = make_repository(tmp_path / "project", {f"{n}.md": "line\n" * n for n in range(1, 7)})
    capability, workflow, other = (block.text for block in blocks(TEXT) if block.language == "yaml")
    for folder, text in (("capabilities", capability), ("workflows", workflow)):
        (home / ".picoclaw" / folder).mkdir(parents=True)
        (home / ".picoclaw" / folder / "lines.yaml").write_text(text)
    read_template(other, "packages.yaml")

    (typed,) = (block for block in blocks(TEXT) if block.language == "bash")
    listed, planned, done = (run_picoclaw(*words[1:], cwd=project, timeout=50) for words in typed.commands())

    assert re.search(r"^lines +files +1 ", listed.stdout, re.MULTILINE)
    assert "4 tasks, joined by table" in planned.stdout
    assert done.returncode == 0, done.stderr
    assert "4 rows from 4 of 4 tasks: 21 lines." in done.stdout


def test_its_tables_have_every_key_and_no_other() -> None:
    top, step = keys(section("Keys"))
    assert top == set(Template.model_fields)
    assert step == set(TemplateTask.model_fields)
    for model in (TemplateMatch, Input, TemplateDefaults):
        assert all(f"`{key}`" in section("Keys") for key in model.model_fields)
    joins, table = keys(section("Joins"))
    assert joins == {*JOINS, "step:NAME"}
    assert table == {field.alias or name for name, field in TableOptions.model_fields.items()}
    assert all(f"`{name}`" in section("Joins") for name in OF_TASK)
    (types,) = keys(section("Inputs"))
    assert types == set(Input.model_fields["type"].annotation.__args__)  # type: ignore[union-attr]
