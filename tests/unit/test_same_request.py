"""One key, sent twice: what makes it another request, and what does not."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from picoclaw.swarm.records import ArtifactRef, Firing, RepositoryRef, Request
from picoclaw.swarm.same_request import same_request
from picoclaw.swarm.submission import new_request

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def snapshot(label: str, content: str) -> RepositoryRef:
    digest = content * 64
    return RepositoryRef(label=label, snapshot=ArtifactRef(name=f"sha256-{digest}", size=1, digest=digest))


def repositories(*refs: RepositoryRef) -> dict[str, JsonValue]:
    return {"repositories": [ref.model_dump(mode="json", exclude_none=True) for ref in refs]}


def change(base: str, head: str) -> dict[str, JsonValue]:
    return {"change": {"base": base, "commit": "c", "head": head, "files": {"a.py": {"spans": [[1, 2]]}}}}


def asked(**options: Any) -> Request:
    return new_request("Count the licences", key="nightly", **options)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"repository": snapshot("a", "1")}, {"repository": snapshot("b", "2")}),
        ({"input": repositories(snapshot("a", "1"))}, {"input": repositories(snapshot("a", "2"))}),
        (
            {"input": repositories(RepositoryRef(label="u", url="u", commit="1"))},
            {"input": repositories(RepositoryRef(label="u", url="u", commit="2"))},
        ),
        ({"input": change("main", "1")}, {"input": change("main", "2")}),
        ({"sender": "ann@one", "priority": 1}, {"sender": "bob@two", "priority": 3}),
        ({"deadline": timedelta(minutes=1)}, {"deadline": None}),
    ],
)
def test_what_repositories_hold_and_who_sends_it_when_makes_no_other_request(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert same_request(asked(**first), asked(**second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"input": repositories(snapshot("a", "1"))}, {"input": repositories(snapshot("b", "1"))}),
        (
            {"input": repositories(snapshot("a", "1"))},
            {"input": repositories(snapshot("a", "1"), snapshot("b", "1"))},
        ),
        ({"input": change("main", "1")}, {"input": change("next", "1")}),
        ({"input": {"depth": 1}}, {"input": {"depth": 2}}),
        ({"input": {"things": [{"label": "a"}]}}, {"input": {"things": ["a"]}}),
        ({"demand": "docs"}, {"demand": "code"}),
        ({"workflow": {"name": "a"}}, {"workflow": {"name": "b"}}),
        ({"max_attempts": 1}, {"max_attempts": 2}),
    ],
)
def test_what_is_asked_makes_another_request(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert not same_request(asked(**first), asked(**second))


def test_another_key_is_another_request() -> None:
    assert not same_request(asked(), new_request("Count the licences", key="weekly"))


def test_a_schedule_that_fires_twice_for_one_time_asks_for_one_request() -> None:
    first, again = (
        asked().model_copy(update={"firing": Firing(schedule="nightly", at=at)}) for at in (100.0, 101.5)
    )
    assert same_request(first, again)
