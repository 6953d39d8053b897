"""The references that are made from the code are those of this code."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from picoclaw.config.keys import BY_ENV, BY_FLAG, KEYS
from picoclaw.config.values import parse_value
from picoclaw.docs._generate.__main__ import DOCS, references
from picoclaw.docs._generate.config_reference import config_reference
from picoclaw.tests.unit.test_config_load import nested
from picoclaw.tests.unit.test_config_reference import VALIDATOR

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


@pytest.mark.parametrize("path", references(), ids=lambda path: path.name)
def test_the_reference_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == references()[path], "it is stale: run `make docs`"


def test_it_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = references()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("PICOCLAW_SWARM_ROLE", "specialist")
    assert references() == before


def test_every_example_of_a_setting_is_right() -> None:
    text = config_reference()
    flags = re.findall(r"^- flag: `([^`]+)`", text, re.MULTILINE)
    variables = re.findall(r"^- environment: `([^`]+)`", text, re.MULTILINE)
    lines = re.findall(r"^- YAML: `(.+)`$", text, re.MULTILINE)
    assert len(flags) == len(variables) == len(lines) == len(KEYS)

    for name, flag, variable, line in zip(KEYS, flags, variables, lines, strict=True):
        option, _, value = flag.partition("=") if "=" in flag.split()[0] else flag.partition(" ")
        assert BY_FLAG[option].name == name
        env, _, text = shlex.split(variable)[0].partition("=")
        assert BY_ENV[env].name == name
        assert value == "" or shlex.split(value) == [text]
        assert parse_value(KEYS[name], text) is not None
        tree = yaml.safe_load(line)
        assert VALIDATOR.is_valid(tree)
        place = tree
        for part in name.split("."):
            place = place[part]
        assert nested({name: place}) == tree


def test_every_link_of_the_settings_leads_to_a_heading() -> None:
    text = config_reference()
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    headings = {
        re.sub(r"[^\w -]", "", found.lower()).replace(" ", "-")
        for found in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert links - headings == set()
    assert DOCS.name == "docs"
