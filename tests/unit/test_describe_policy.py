"""What a description says of a request's attempts, limits and broadcast."""

import pytest

from picoclaw.cli.describe.policy import policy_fields
from picoclaw.swarm.records import Broadcast, Request, Retry

pytestmark = pytest.mark.unit


def said(**asked: object) -> dict[str, str]:
    request = Request.model_validate({"id": "r-a", "key_digest": "d", "text": "t", **asked})
    return {name: value for name, value in policy_fields(request) if value}


def test_of_what_was_not_asked_nothing_is_said() -> None:
    assert said() == {}
    assert policy_fields(None) == ()


def test_attempts_pauses_and_final_errors() -> None:
    retry = Retry(attempts=4, first_s=2, longest_s=60, final=("no such *", "bad key"))
    assert said(retry=retry) == {
        "Attempts": "4, the second after 2s, at most 1m apart, final: no such * | bad key"
    }
    assert said(max_attempts=2) == {"Attempts": "2"}


def test_limits_of_time() -> None:
    assert said(deadline_s=90, task_timeout_s=0.5, task_deadline_s=3600) == {
        "Deadline": "1m30s after it was accepted",
        "Each attempt": "500ms at most",
        "Each task": "1h at most, attempts and pauses together",
    }


@pytest.mark.parametrize(
    ("broadcast", "words"),
    [
        (Broadcast(), "to every node that can do it; each must answer"),
        (
            Broadcast(quorum="majority", within_s=30),
            "to every node that can do it; majority must answer within 30s",
        ),
        (Broadcast(quorum=2), "to every node that can do it; 2 must answer"),
    ],
)
def test_a_broadcast(broadcast: Broadcast, words: str) -> None:
    assert said(broadcast=broadcast) == {"Broadcast": words}
