"""Each message that the documents quote is one that the code can print."""

import pytest

from picoclaw.tests.support.docs import ROOT
from picoclaw.tests.support.quoted import GAP, clauses, quoted, runs

pytestmark = pytest.mark.unit

JOINTS = 2
"""Texts of the code that one clause of a message may be put together of."""


def test_each_clause_of_each_quoted_message_stands_in_the_code() -> None:
    strange = [
        f"{heading}: {clause!r}"
        for heading, messages in quoted("troubleshooting.md").items()
        for message in messages
        for clause in clauses(message)
        if runs(clause) > JOINTS
    ]
    assert strange == []


def test_the_check_finds_a_message_that_nobody_prints() -> None:
    assert [
        runs(clause) > JOINTS for clause in clauses(f"the purple moon {GAP} is made of cheese; buy some")
    ] == [
        True,
        True,
        True,
    ]


ELSEWHERE = {"The home directory is on a network"}
"""Cannot be brought about without such a file system: tests/unit/test_embedded_filesystem.py."""


def test_each_symptom_is_brought_about_by_an_acceptance_test() -> None:
    tests = (ROOT / "tests" / "acceptance").rglob("*.py")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in tests)

    assert {heading for heading in quoted("troubleshooting.md") if f'"{heading}"' not in sources} == ELSEWHERE
