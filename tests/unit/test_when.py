"""`--at`, `--in` and `--cron`: what goes together, and what is said of the rest."""

from datetime import timedelta

import pytest

from picoclaw.cli.request.when import Later, Recurring, WhenOptions, read_when
from picoclaw.errors import NameRefused, UsageError

pytestmark = pytest.mark.unit


def test_without_a_time_it_begins_now() -> None:
    assert read_when(WhenOptions()) is None


def test_a_delay_and_a_time_are_read() -> None:
    assert read_when(WhenOptions(delay="1h30m")) == Later(None, timedelta(minutes=90))
    later = read_when(WhenOptions(at="tomorrow 09:00", tz="Asia/Tokyo"))
    assert isinstance(later, Later)
    assert later.at is not None
    assert later.at.strftime("%H:%M") == "00:00"


def test_what_recurs_has_a_name_and_a_zone() -> None:
    told = WhenOptions(cron=" 0  9 * * mon ", called=" audit ", tz="Europe/Berlin", replace=True)
    assert read_when(told) == Recurring("audit", "0 9 * * mon", "Europe/Berlin", True)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (WhenOptions(at="soon"), "is no time that is understood"),
        (WhenOptions(at=""), "is no time that is understood"),
        (WhenOptions(delay="90"), "--in: 90 has no unit"),
        (WhenOptions(delay="0s"), "above zero"),
        (WhenOptions(delay="1m", at="18:00"), "--at and --in do not go together"),
        (WhenOptions(cron="@daily", at="18:00", called="n"), "--at and --cron do not go together"),
        (WhenOptions(cron="@daily"), "--cron needs --name"),
        (WhenOptions(called="n"), "add --cron"),
        (WhenOptions(replace=True), "add --cron"),
        (WhenOptions(tz="UTC"), "add one of them"),
        (WhenOptions(delay="1m", tz="UTC"), "add one of them"),
        (WhenOptions(cron="@daily", called="n", tz="Mars/Base"), "no time zone is called"),
        (WhenOptions(cron="@nightly", called="n"), "is none of"),
    ],
)
def test_what_does_not_go_together_is_refused(told: WhenOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_when(told)


def test_a_name_that_cannot_be_carried_is_refused() -> None:
    with pytest.raises(NameRefused, match="empty"):
        read_when(WhenOptions(cron="@daily", called=" "))
