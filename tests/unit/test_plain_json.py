"""JSON as it travels: what the wire would refuse or change is told where it is read."""

import pytest

from picoclaw.config.plain_json import read_json

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


def test_json_is_read_as_it_stands() -> None:
    assert read_json('{"a": [1, 2.5, null, "\\ud83d\\ude00", "é"]}') == {"a": [1, 2.5, None, "😀", "é"]}
    assert read_json(b"[]") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NaN", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ('{"a": 1e999}', "1e999 is too large a number"),
        ("-1e999", "-1e999 is too large"),
        ('"\\ud800"', r"\\ud800 is half a character"),
        ('{"\\udfff": 1}', r"\\udfff is half a character"),
        ("[", "Expecting value"),
    ],
)
def test_what_does_not_travel_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_json(text)
