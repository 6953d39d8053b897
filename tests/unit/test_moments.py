"""Times as people type them for `--at`."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.config import zones
from picoclaw.config.moments import parse_moment
from picoclaw.config.zones import local_zone, zone_of
from picoclaw.errors import UsageError

pytestmark = pytest.mark.unit

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # 13:00 in Berlin


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-12-24 18:00", "2026-12-24T17:00:00+00:00"),
        ("2026-12-24T18:00:30", "2026-12-24T17:00:30+00:00"),
        ("2026-12-24T18:00:00+05:30", "2026-12-24T12:30:00+00:00"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00+00:00"),
        ("2027-07-01 18:00", "2027-07-01T16:00:00+00:00"),
        ("18:00", "2026-11-21T17:00:00+00:00"),
        ("9:05", "2026-11-22T08:05:00+00:00"),
        ("today 18:00", "2026-11-21T17:00:00+00:00"),
        ("Tomorrow  09:00", "2026-11-22T08:00:00+00:00"),
        ("2026-11-21 12:59:30", "2026-11-21T11:59:30+00:00"),
        ("2027-10-31 02:30", "2027-10-31T00:30:00+00:00"),
    ],
)
def test_a_time_is_read(text: str, meant: str) -> None:
    assert parse_moment(text, BERLIN, NOW).isoformat() == meant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-21 12:00", "has passed: it is 2026-11-21 13:00"),
        ("today 12:00", "has passed"),
        ("2026-12-24", "say the time too"),
        ("24:00", "is no time of day"),
        ("12:61", "is no time of day"),
        ("soon", "is no time that is understood"),
        ("", "is no time that is understood"),
        ("2027-03-28 02:30", "does not exist in Europe/Berlin"),
        ("2099-01-01 00:00", "over five years away"),
    ],
)
def test_what_is_no_time_to_come_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_moment(text, BERLIN, NOW)


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    with suppress(UsageError):
        parse_moment(text, BERLIN, NOW)


@pytest.mark.parametrize(
    "name", ["", "Local", "localtime", "../etc/passwd", "Europe/Berln", "/etc/localtime"]
)
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no time zone is called"):
        zone_of(name)


def test_the_zone_of_this_machine_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert local_zone().key == "America/New_York"
    monkeypatch.delenv("TZ")
    place = tmp_path / "zoneinfo" / "Asia" / "Tokyo"
    place.parent.mkdir(parents=True)
    place.touch()
    link = tmp_path / "localtime"
    link.symlink_to(place)
    monkeypatch.setattr(zones, "LOCALTIME", str(link))
    assert local_zone().key == "Asia/Tokyo"
    link.unlink()
    assert local_zone().key == "UTC"
    link.touch()
    with pytest.raises(UsageError, match="--tz"):
        local_zone()
