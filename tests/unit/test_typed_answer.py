"""What is typed at a question of an agent becomes an answer, or a word on what can be typed."""

from typing import Any

import pytest

from picoclaw.cli.approvals.typed_answer import Typed, choices, read_answer
from picoclaw.swarm.approvals.record import ApprovalRecord


def question(**given: Any) -> ApprovalRecord:
    usual: dict[str, Any] = {
        "id": "a-k3pq", "request": "r-1", "step": "task", "about": "tool", "number": 3, "digest": "ab",
        "text": "bash command=git push", "rules": ("ask bash: git push*",), "node": "n", "asked_at": 1.0,
        "expires_at": 2.0,
    }  # fmt: skip
    return ApprovalRecord(**{**usual, **given})


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("y", Typed("allow")),
        (" Yes \r", Typed("allow")),
        ("n", Typed("deny")),
        ("n, use a branch", Typed("deny", "use a branch")),
        ("no use a branch", Typed("deny", "use a branch")),
        ("a", Typed("allow", always=True)),
    ],
)
def test_an_answer(line: str, answer: Typed) -> None:
    assert read_answer(line, question()) == answer


@pytest.mark.parametrize("line", ["", "  ", "perhaps", "yep", "s", "\x1b[A", "n " + "x" * 1001])
def test_what_is_no_answer_answers_nothing(line: str) -> None:
    assert isinstance(read_answer(line, question()), str)


def test_each_question_offers_what_can_be_answered_to_it() -> None:
    uncertain = question(about="uncertain", rules=())
    assert read_answer("s", uncertain) == Typed("skip")
    assert isinstance(read_answer("a", uncertain), str), "no rule asks it"
    assert "[s]kip" in choices(uncertain)
    assert "[a]lways" not in choices(uncertain)
    assert "[a]lways" in choices(question())
