"""The document of the fake model server names every key, every kind of error, and scripts that are right."""

import re
from typing import get_args

import pytest

from picoclaw.capabilities.agent.fake_llm import anthropic_answer, openai_answer, script_file
from picoclaw.capabilities.agent.fake_llm.filled import PLAIN
from picoclaw.capabilities.agent.fake_llm.script import Kind, Refusal
from picoclaw.capabilities.agent.fake_llm.script_file import read_script
from picoclaw.tests.support.docs import DOCS, blocks

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

TEXT = (DOCS / "fake-llm.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[str]:
    """The first cells of the table below a heading."""
    below = TEXT.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\| `([^`]+)` \|", below, re.MULTILINE)


def test_its_scripts_are_right() -> None:
    scripts = [block.text for block in blocks(TEXT) if block.language == "yaml"]
    assert scripts
    for script in scripts:
        read_script(script, "fake-llm.md")


def test_it_names_every_key() -> None:
    assert set(rows("### Of the whole script")) == set(script_file._TOP)
    assert set(rows("### Of a rule")) == set(script_file._RULE)
    searched = {"model", "system", "user", "result"}
    assert set(rows("### `when`")) == set(script_file._WHEN) - searched
    assert set(rows("### `answer`")) == set(script_file._ANSWER)
    assert all(f"`${{{name}}}`" in TEXT for name in PLAIN)


def test_it_names_every_error_with_its_status() -> None:
    below = TEXT.split("### `error`", 1)[1].split("\n#", 1)[0]
    told = re.findall(r"^\| `(\w+)` \| (\d+)[^|]*\| (\d+)", below, re.MULTILINE)
    made = []
    for kind in get_args(Kind):
        statuses = [
            answer.error_body(Refusal(kind=kind), "1")[0] for answer in (anthropic_answer, openai_answer)
        ]
        made.append((kind, *map(str, statuses)))
    assert told == made
