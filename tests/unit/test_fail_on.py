"""`run --fail-on`: what makes its exit code."""

import pytest

from picoclaw.cli.run_command import _fail_on, _Wanted
from picoclaw.swarm.fold import RequestHead
from picoclaw.swarm.submission import Ended

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]


@pytest.mark.parametrize(
    ("fail_on", "allow_partial", "code"),
    [("high", False, 1), ("high", True, 0), (None, False, 0)],
    ids=["a part nobody reviewed fails", "unless it is allowed", "and without --fail-on it never does"],
)
def test_a_part_that_nobody_reviewed(fail_on: str | None, allow_partial: bool, code: int) -> None:
    wanted = _Wanted(fail_on, allow_partial, None, False, False)
    assert _fail_on(Ended(RequestHead(state="done", partial=True), None), wanted) == code
