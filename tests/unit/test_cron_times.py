"""When an expression is due, and that the server fires it then: by what nats-server's own cron answers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picoclaw.errors import ServerTooOld, UsageError
from picoclaw.swarm.cron.firing import fired_request
from picoclaw.swarm.cron.pattern import pattern_of
from picoclaw.swarm.cron.record import Schedule
from picoclaw.swarm.cron.spec import Cron, parse_spec
from picoclaw.swarm.cron.store import check_version
from picoclaw.swarm.cron.times import due_after, due_until
from picoclaw.swarm.records import Request

pytestmark = pytest.mark.unit

BERLIN = "Europe/Berlin"
SERVER: list[dict[str, Any]] = json.loads((Path(__file__).parent / "server_cron.json").read_text("utf-8"))
"""Firings that the cron of nats-server 2.15.1 (server/cron.go, `parseCron`) answers for a pattern after a
time; of what is thinned over a change of the clocks."""


def cron(text: str) -> Cron:
    spec = parse_spec(text)
    assert isinstance(spec, Cron)
    return spec


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def due(text: str, zone: str, after: str, number: int) -> list[str]:
    """The next times on the wall, with their offsets."""
    found, moment = [], at(after, zone)
    for _ in range(number):
        following = due_after(cron(text), ZoneInfo(zone), moment)
        assert following is not None
        moment = following
        found.append(datetime.fromtimestamp(moment, ZoneInfo(zone)).strftime("%a %m-%d %H:%M %z"))
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 9 * * mon-fri", "2026-11-20 09:00", ["Mon 11-23 09:00 +0000", "Tue 11-24 09:00 +0000"]),
        ("0 0 31 * *", "2026-01-31 00:00", ["Tue 03-31 00:00 +0000", "Sun 05-31 00:00 +0000"]),
        ("0 0 29 2 *", "2026-01-01 00:00", ["Tue 02-29 00:00 +0000", "Sun 02-29 00:00 +0000"]),
        ("0 12 13 * fri", "2026-11-11 00:00", ["Fri 11-13 12:00 +0000", "Fri 11-20 12:00 +0000"]),
        ("59 23 31 12 *", "2026-12-31 23:59", ["Fri 12-31 23:59 +0000"]),
        ("*/7 * * * *", "2026-11-21 10:55", ["Sat 11-21 10:56 +0000", "Sat 11-21 11:00 +0000"]),
        ("0 0 * * 7", "2026-11-21 00:00", ["Sun 11-22 00:00 +0000", "Sun 11-29 00:00 +0000"]),
    ],
)
def test_days_months_and_weekdays(text: str, after: str, expected: list[str]) -> None:
    assert due(text, "UTC", after, len(expected)) == expected


def test_a_time_that_the_change_to_summer_time_leaves_out_comes_an_hour_later() -> None:
    assert due("30 2 * * *", BERLIN, "2027-03-27 03:00", 2) == [
        "Sun 03-28 03:30 +0200",
        "Mon 03-29 02:30 +0200",
    ]


def test_a_time_that_comes_twice_counts_the_first_time() -> None:
    assert due("30 2 * * *", BERLIN, "2027-10-30 03:00", 2) == [
        "Sun 10-31 02:30 +0200",
        "Mon 11-01 02:30 +0100",
    ]


def test_what_comes_in_every_hour_goes_by_real_time() -> None:
    forward = due("30 * * * *", BERLIN, "2027-03-28 01:00", 2)
    assert forward == ["Sun 03-28 01:30 +0100", "Sun 03-28 03:30 +0200"]
    back = due("30 * * * *", BERLIN, "2027-10-31 01:45", 3)
    assert back == ["Sun 10-31 02:30 +0200", "Sun 10-31 02:30 +0100", "Sun 10-31 03:30 +0100"]


def test_a_day_without_a_midnight_is_not_left_out() -> None:
    zone = "America/Santiago"
    assert due("0 9 * * sun", zone, "2026-09-01 00:00", 1) == ["Sun 09-06 09:00 -0300"]
    assert due("0 0 * * sun", zone, "2026-09-01 00:00", 1) == ["Sun 09-06 01:00 -0300"]


@pytest.mark.parametrize("row", SERVER, ids=lambda row: f"{row['spec']} {row['zone']} {row['after']}")
def test_the_server_fires_when_it_is_due(row: dict[str, Any]) -> None:
    spec, zone, after = cron(row["spec"]), ZoneInfo(row["zone"]), float(row["after"])
    pattern = pattern_of(spec, zone, after)
    assert (pattern.schedule, pattern.thinned) == (row["pattern"], row["thinned"])
    fired = [float(moment) for moment in row["server"]]
    wanted: list[float] = []
    while (moment := due_after(spec, zone, wanted[-1] if wanted else after)) is not None and moment <= fired[
        -1
    ]:
        wanted.append(moment)
    if not pattern.thinned:
        assert wanted == fired
        return
    seen = [due_until(spec, zone, moment) for moment in fired]
    assert sorted({moment for moment in seen if moment is not None and moment > after}) == wanted
    # And it fires then, not some time after.
    assert set(wanted) <= set(fired)


FIELDS = st.tuples(
    st.sampled_from(["0", "30", "*/20", "7,45"]),
    st.sampled_from(["*", "2", "0", "9,23", "*/5"]),
    st.sampled_from(["*", "1", "29-31", "13"]),
    st.sampled_from(["*", "mar", "feb,oct"]),
    st.sampled_from(["*", "mon-fri", "sun"]),
).map(" ".join)
ZONES = st.sampled_from(["UTC", BERLIN, "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata"])
MOMENTS = st.integers(int(at("2026-01-01")), int(at("2030-01-01")))


@settings(max_examples=60)
@given(FIELDS, ZONES, MOMENTS)
def test_the_next_and_the_last_time_agree(text: str, name: str, moment: int) -> None:
    spec, zone = cron(text), ZoneInfo(name)
    following = due_after(spec, zone, float(moment))
    if following is None:
        return
    assert following > moment
    assert due_until(spec, zone, following) == following
    last = due_until(spec, zone, float(moment))
    assert last is None or due_after(spec, zone, last) == following


@settings(max_examples=60)
@given(FIELDS, st.sampled_from(["UTC", "Asia/Kolkata"]), MOMENTS)
def test_the_next_time_is_the_first_minute_that_fits(text: str, name: str, moment: int) -> None:
    spec, zone = cron(text), ZoneInfo(name)
    following = due_after(spec, zone, float(moment))
    wall = datetime.fromtimestamp(moment - moment % 60, zone)
    for _ in range(3 * 1440):
        wall += timedelta(minutes=1)
        fits = wall.minute in spec.minutes.values and wall.hour in spec.hours.values
        if fits and spec.takes(wall.month, wall.day, wall.isoweekday() % 7):
            assert following == wall.timestamp()
            return
    assert following is None or following > wall.timestamp()


def schedule(**given: Any) -> Schedule:
    fields = {
        "name": "n", "spec": "30 2 * * *", "zone": BERLIN, "thinned": True, "created_at": 0.0, "changed_at": 0.0,
        "edit": "e", "request": Request(id="", key_digest="", text="x"),
    }  # fmt: skip
    return Schedule(**(fields | given))


def fired(
    one: Schedule, moment: float, *, seq: int = 1, longest: float = 86_400.0, **headers: str
) -> str | None:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    request = fired_request(one, at=moment, seq=seq, headers=told, longest=longest)
    return request.id if request is not None else None


def test_of_a_night_of_firings_one_is_the_request() -> None:
    night = at("2027-10-31 02:30", BERLIN)  # 02:30 comes twice
    ids = [fired(schedule(), night + hour * 3600, seq=hour) for hour in range(10)]
    assert len(set(ids)) == 1
    assert fired(schedule(), night + 86_400 + 3600) not in ids


def test_where_ended_requests_are_kept_for_a_second_what_is_due_comes_all_the_same() -> None:
    morning = at("2027-06-01 02:30", BERLIN)
    assert fired(schedule(), morning + 2, longest=0.5) == fired(schedule(), morning)
    assert fired(schedule(), morning + 3600, longest=0.5) is None, "it has had its request"


def test_what_was_due_before_it_was_set_or_long_ago_is_none() -> None:
    moment = at("2027-06-01 12:30", BERLIN)
    assert fired(schedule(changed_at=at("2027-06-01 03:00", BERLIN)), moment) is None
    assert fired(schedule(spec="30 2 1 jan *"), moment) is None


def test_a_firing_is_known_by_what_comes_next() -> None:
    plain = schedule(thinned=False)
    first = fired(plain, 1e9, seq=1, Nats_Schedule_Next="2027-06-02T00:30:00Z")
    assert first == fired(plain, 1e9 + 5, seq=9, Nats_Schedule_Next="2027-06-02T00:30:00Z")
    assert first != fired(plain, 1e9, seq=1, Nats_Schedule_Next="2027-06-03T00:30:00Z")
    assert first != fired(schedule(thinned=False, edit="f"), 1e9, Nats_Schedule_Next="2027-06-02T00:30:00Z")


def test_a_zone_that_is_not_known_here_is_said() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        fired(schedule(zone="Mars/Olympus"), datetime.now(UTC).timestamp())


def test_a_server_whose_schedules_do_not_repeat_is_refused() -> None:
    with pytest.raises(ServerTooOld, match=r"2\.12\.9, and recurring requests need 2\.14"):
        check_version((2, 12, 9))
    check_version((2, 14, 0))
