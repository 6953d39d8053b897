"""How many requests a coordinator takes while it knows the size of the log only now and then."""

import pytest

from picoclaw.roles.admission import COPIES, OF_REQUEST, OF_TASK, Admission

pytestmark = pytest.mark.unit


def looked(room: int | None, *, unfinished: int = 0, coordinators: int = 1) -> Admission:
    admission = Admission()
    admission.look(room, unplanned=(), unfinished=unfinished, coordinators=coordinators)
    return admission


def test_nothing_is_taken_before_the_log_was_looked_at() -> None:
    assert not Admission().looked
    assert not Admission().open


def test_a_log_without_a_size_takes_any_number() -> None:
    admission = looked(None, unfinished=1_000_000)
    for _ in range(1_000):
        admission.take("r", 1 << 30)
    assert admission.open


def test_no_more_is_taken_than_there_was_room_for_at_the_last_look() -> None:
    admission, taken = looked(1_000_000), 0
    while admission.open:
        admission.take(f"r-{taken}", 20_000)
        taken += COPIES * 20_000 + OF_REQUEST
    assert 1_000_000 <= taken < 1_100_000


def test_the_next_look_opens_it_again() -> None:
    admission = looked(1)
    admission.take("r", 1)
    assert not admission.open
    admission.look(1_000, unplanned=(), unfinished=0, coordinators=1)
    assert admission.open


def test_room_is_kept_for_what_its_own_tasks_have_yet_to_write() -> None:
    assert looked(OF_TASK * 10 + 1, unfinished=10).open
    assert not looked(OF_TASK * 10, unfinished=10).open


def test_coordinators_share_the_room() -> None:
    admission = looked(3 * OF_REQUEST, coordinators=3)
    admission.take("r", 0)
    assert not admission.open


def test_a_log_over_its_limit_takes_none() -> None:
    assert not looked(0).open
    assert not looked(-5_000).open


def test_room_is_kept_for_a_request_until_its_plan_is_written() -> None:
    admission = looked(10 * OF_REQUEST)
    admission.take("r", 20_000)
    admission.look(10 * OF_REQUEST, unplanned=("r",), unfinished=0, coordinators=1)
    assert not admission.open
    admission.look(10 * OF_REQUEST, unplanned=(), unfinished=0, coordinators=1)
    assert admission.open
