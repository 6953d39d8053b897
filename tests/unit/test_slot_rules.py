"""Slots: contenders that see different beginnings of one stream never have more than the cap between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.swarm.limits.slot_rules import RemoveSlot, SlotRecord, TakeSlot, lowest_free, next_slot

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def records(*holders: str) -> dict[int, SlotRecord]:
    """By number; a `!` before a name: it has lapsed; empty: given back."""
    return {
        number: SlotRecord(number + 10, name.lstrip("!"), name.startswith("!"))
        for number, name in enumerate(holders)
    }


@pytest.mark.parametrize(
    ("held", "cap", "then"),
    [
        ((), 1, TakeSlot(0, 0)),
        ((), 0, None),
        (("a",), 1, None),
        (("a",), 2, TakeSlot(1, 0)),
        (("", "b"), 2, TakeSlot(0, 10)),
        (("!a", ""), 2, TakeSlot(0, 10)),
        (("a", "!b"), 2, TakeSlot(1, 11)),
        (("a", "b", "c"), 2, None),
        (("a", "", "", "d"), 2, None),
        (("a", "!b", "c"), 2, RemoveSlot(1, 11)),
        (("", "", "", "!d"), 2, RemoveSlot(3, 13)),
        (("!a",), 0, RemoveSlot(0, 10)),
    ],
)
def test_what_a_contender_does(held: tuple[str, ...], cap: int, then: TakeSlot | RemoveSlot | None) -> None:
    assert next_slot(records(*held), cap) == then


def test_the_lowest_free_number() -> None:
    assert lowest_free(records("a", "", "c"), 3) == TakeSlot(1, 11)
    assert lowest_free(records("a", "b"), 2) is None


class Bucket:
    """A stream of writes, each by compare-and-set on its number's last revision."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, str]] = []

    def view(self, upto: int, dead: frozenset[str] = frozenset()) -> dict[int, SlotRecord]:
        found = {}
        for revision, (number, holder) in enumerate(self.writes[:upto], 1):
            found[number] = SlotRecord(revision, holder, holder in dead)
        return found

    def write(self, number: int, holder: str, expected: int) -> bool:
        last = self.view(len(self.writes)).get(number)
        if expected != (last.revision if last else 0):
            return False
        self.writes.append((number, holder))
        return True

    @property
    def held(self) -> list[str]:
        return [record.holder for record in self.view(len(self.writes)).values() if record.holder]


@given(st.data())
def test_however_late_each_contender_hears_no_more_than_the_cap_is_held(data: st.DataObject) -> None:
    cap = data.draw(st.integers(1, 3), "cap")
    bucket, dead = Bucket(), set[str]()
    seen = dict.fromkeys("abcd", 0)
    for _ in range(data.draw(st.integers(1, 40), "steps")):
        who = data.draw(st.sampled_from("abcd"), "who")
        # Each sees a beginning of the stream that only grows; its own writes it knows at once.
        seen[who] = data.draw(st.integers(seen[who], len(bucket.writes)), "heard")
        mine = [n for n, record in bucket.view(len(bucket.writes)).items() if record.holder == who]
        gives_back: bool = data.draw(st.booleans(), "give back")
        if mine and gives_back:
            bucket.write(mine[0], "", bucket.view(len(bucket.writes))[mine[0]].revision)
            continue
        if data.draw(st.integers(0, 9), "die") == 0 and who in bucket.held:
            dead.add(who)  # known dead to some, not to others; it writes nothing more under this name
            continue
        if who in dead:
            continue
        known = frozenset(name for name in dead if data.draw(st.booleans(), f"{name} known dead"))
        match next_slot(bucket.view(seen[who], known), cap):
            case TakeSlot(index, revision):
                bucket.write(index, who, revision)
            case RemoveSlot(index, revision):
                bucket.write(index, "", revision)
        assert len(bucket.held) <= cap


@given(st.data())
def test_below_a_lowered_cap_nobody_new_begins(data: st.DataObject) -> None:
    bucket = Bucket()
    for number in range(5):
        bucket.write(number, f"old{number}", 0)
    cap = data.draw(st.integers(0, 4), "cap")
    seen = dict.fromkeys("ab", 5)
    most = 5
    for _ in range(data.draw(st.integers(1, 40), "steps")):
        if data.draw(st.booleans(), "one ends") and bucket.held:
            leaving = data.draw(st.sampled_from(sorted(bucket.held)), "leaving")
            (number,) = [
                n for n, record in bucket.view(len(bucket.writes)).items() if record.holder == leaving
            ][:1]
            bucket.write(number, "", bucket.view(len(bucket.writes))[number].revision)
        who = data.draw(st.sampled_from("ab"), "who")
        seen[who] = data.draw(st.integers(seen[who], len(bucket.writes)), "heard")
        match next_slot(bucket.view(seen[who]), cap):
            case TakeSlot(index, revision):
                bucket.write(index, f"{who}{len(bucket.writes)}", revision)
            case RemoveSlot(index, revision):
                bucket.write(index, "", revision)
        assert len(bucket.held) <= max(cap, most)
        most = min(most, max(cap, len(bucket.held)))
