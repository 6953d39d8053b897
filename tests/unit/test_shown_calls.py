"""A call as a person sees it who is to allow it: nothing that it would do is out of sight without a word."""

import pytest

from picoclaw.capabilities.agent.loop.shown import HEAD, TAIL, shown
from picoclaw.cli.approvals.rows import WHOLE
from picoclaw.roles.agents.approvals import LONGEST_TEXT
from picoclaw.roles.synthesis.markdown import clean

pytestmark = pytest.mark.unit


def test_blanks_and_line_breaks_hide_nothing() -> None:
    line = "ls # all is well" + " " * 5000 + "\n\trm -rf x\rrm -rf y"
    assert shown({"command": line}) == "command=ls # all is well ⏎ rm -rf x ⏎ rm -rf y"


def test_a_long_argument_pushes_no_other_out_of_sight() -> None:
    said = shown({"content": "x" * 100_000, "path": ".git/hooks/pre-commit", "deep": {"a": [1, "b"]}})
    assert said.startswith('deep={"a": [1, "b"]}, path=.git/hooks/pre-commit, content=xxx')


def test_of_a_long_line_both_ends_are_shown_and_how_much_is_not() -> None:
    said = shown({"command": f"echo {'x' * 50_000}; rm -rf y"})
    assert said.startswith("command=echo xxx")
    assert said.endswith("x; rm -rf y")
    assert "CHARACTERS ARE NOT SHOWN" in said
    assert HEAD + TAIL < len(said) < min(WHOLE, LONGEST_TEXT), "and no later cut takes its end"


def test_what_is_cut_ends_so_however_many_blanks_stand_before_the_rest() -> None:
    assert clean("bash ls" + " " * 5000 + "; rm -rf x", 300).endswith("…")
