"""Schemas of strangers: few lines that ask for billions of looks take no time, and the others hold as ever."""

from typing import Any

import pytest
from pydantic import JsonValue

from picoclaw.capabilities.agent.bounded_schema import has_patterns
from picoclaw.capabilities.agent.loop.answers import mismatch

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

TWICE: dict[str, Any] = {
    "properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "z": {"type": "string"}},
    "required": ["z"],
}


def nested(levels: int) -> JsonValue:
    value: JsonValue = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_data_that_doubles_the_work_at_each_level_is_given_up() -> None:
    assert "unfolds to too much" in mismatch(nested(40), TWICE)
    assert mismatch({"a": {"z": "x"}, "z": "y"}, TWICE) == ""


@pytest.mark.parametrize(("last", "fits"), [(1, True), (0, False)])
def test_many_items_are_compared_without_each_meeting_each(last: int, fits: bool) -> None:
    items: JsonValue = [{"n": n} for n in range(1, 20_000)]
    assert isinstance(items, list)
    items.append({"n": -1} if last else {"n": 7})
    assert (mismatch(items, {"uniqueItems": True}) == "") is fits


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "object", "properties": {"a": {"items": [{"pattern": "a+"}]}}}, True),
        ({"patternProperties": {"^a": {}}}, True),
        ({"type": "object", "properties": {"a": {"enum": ["pattern"]}}}, False),
        (None, False),
    ],
)
def test_patterns_are_found_wherever_they_stand(schema: Any, found: bool) -> None:
    assert has_patterns(schema) is found
