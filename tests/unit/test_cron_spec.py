"""What is typed as the times of a recurring request, and what is refused in words."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.errors import UsageError
from picoclaw.swarm.cron.spec import Cron, Every, parse_spec

pytestmark = pytest.mark.unit


def cron(text: str) -> Cron:
    spec = parse_spec(text)
    assert isinstance(spec, Cron)
    return spec


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("*/15 * * * *", "minutes", (0, 15, 30, 45)),
        ("5/15 * * * *", "minutes", (5, 20, 35, 50)),
        ("*/7 * * * *", "minutes", (0, 7, 14, 21, 28, 35, 42, 49, 56)),
        ("0 9-17/4 * * *", "hours", (9, 13, 17)),
        ("0 0 1,15 * *", "days", (1, 15)),
        ("0 0 1 jan,JUL *", "months", (1, 7)),
        ("0 0 * * mon-fri", "weekdays", (1, 2, 3, 4, 5)),
        ("0 0 * * 7", "weekdays", (0,)),
        ("0 0 * * 0", "weekdays", (0,)),
        ("0 0 * * 5-7", "weekdays", (0, 5, 6)),
        ("0 0 * * fri-sun", "weekdays", (0, 5, 6)),
        ("0 0 * * sun-tue", "weekdays", (0, 1, 2)),
        ("0 0 * * */2", "weekdays", (0, 2, 4, 6)),
        ("0 0 * * 0-7", "weekdays", (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_a_field_is_read(text: str, field: str, values: tuple[int, ...]) -> None:
    assert getattr(cron(text), field).values == values


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("@daily", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
        ("@weekly", "0 0 * * sun"),
        ("@yearly", "0 0 1 jan *"),
    ],
)
def test_a_named_one_is_its_five_fields(text: str, same: str) -> None:
    assert parse_spec(text) == parse_spec(same)


def test_an_interval_is_read() -> None:
    assert parse_spec("@every 1h30m") == Every(timedelta(minutes=90))


def test_of_two_restricted_day_fields_either_fits() -> None:
    spec = cron("0 0 13 * fri")
    assert spec.either_day
    assert spec.takes(11, 13, 1)
    assert spec.takes(11, 20, 5)
    assert not spec.takes(11, 14, 1)
    assert not cron("0 0 */2 * *").either_day


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("* * * *", "has 4 fields"),
        ("0 0 9 * * *", "no field for seconds"),
        ("60 * * * *", "minute '60' is out of range"),
        ("0 24 * * *", "hour '24' is out of range"),
        ("0 0 0 * *", "day of the month '0' is out of range"),
        ("0 0 * 13 *", "month '13' is out of range"),
        ("0 0 * * 8", "weekday '8' is out of range"),
        ("0 0 L * *", "L, W and #"),
        ("0 0 * * fri#2", "L, W and #"),
        ("0 0 * * mond", "weekday 'mond' is not understood"),
        ("0 22-2 * * *", "goes backwards"),
        ("*/0 * * * *", "above 0"),
        ("1//2 * * * *", "above 0"),
        ("-5 * * * *", "is not understood"),
        ("1,,2 * * * *", "is not understood"),
        ("٣ * * * *", "is not understood"),
        ("0 0 */2 * mon", "programs differ"),
        ("0 0 1 * */3", "programs differ"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 apr,jun,sep *", "never comes"),
        ("@reboot", "is none of"),
        ("@every 500ms", "shortest interval is 1s"),
        ("@every 10", "has no unit"),
        ("@every", "@every"),
    ],
)
def test_what_is_none_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("*", r"\*").replace("#", "#")):
        parse_spec(text)


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    with suppress(UsageError):
        parse_spec(text)
