"""The harness of the acceptance tests, on the one command that always answers."""

import pytest

from picoclaw.tests.support.command import SpawnPicoclaw

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


def test_output_is_awaited_line_by_line(spawn_picoclaw: SpawnPicoclaw) -> None:
    process = spawn_picoclaw("--help")

    usage = process.expect(r"^Usage: (\w+)")
    process.expect("--version")

    assert usage.group(1) == "picoclaw"
    assert process.finish() == 0
    assert process.stdout.splitlines() == process.lines


def test_a_line_that_never_comes_fails_at_the_end_and_shows_what_came(spawn_picoclaw: SpawnPicoclaw) -> None:
    process = spawn_picoclaw("--version")

    with pytest.raises(AssertionError, match=r"it ended with 0: picoclaw --version.*\n.*\d+\.\d+"):
        process.expect("no such line", timeout=20)


def test_at_a_terminal(spawn_picoclaw: SpawnPicoclaw) -> None:
    process = spawn_picoclaw("--help", terminal=True)

    process.expect("Usage: ")

    assert process.finish() == 0
