"""Slots: who may take which slot of a capped capability. Pure.

A slot is a record, number 0 and up, that its holder keeps alive. A contender tries the lowest free
number, and only where fewer records stand than the cap allows. As each write is a compare-and-set on
that number's record, contenders that see different beginnings of one stream of changes never have
more than the cap between them: whoever takes another number than mine has seen mine taken, or one
come free that I have not.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """What stands under one number."""

    revision: int
    holder: str = ""
    """The run that holds it; empty: it was given back."""
    lapsed: bool = False
    """Its holder is known dead, or has not kept it alive for a lease's length."""


@dataclass(frozen=True, slots=True)
class TakeSlot:
    """Write oneself under a number, over a revision."""

    index: int
    revision: int


@dataclass(frozen=True, slots=True)
class RemoveSlot:
    """Remove a lapsed record, over a revision: there are more than the cap allows."""

    index: int
    revision: int


def next_slot(records: Mapping[int, SlotRecord], cap: int) -> TakeSlot | RemoveSlot | None:
    """Return what a contender that wants one more slot does next; None: it waits."""
    held = {index: record for index, record in records.items() if record.holder}
    lapsed = [index for index, record in sorted(held.items()) if record.lapsed]
    if len(held) > cap or any(index >= cap for index in lapsed):
        over = [index for index in lapsed if index >= cap] or lapsed
        return RemoveSlot(over[0], held[over[0]].revision) if over else None
    if lapsed:
        return TakeSlot(lapsed[0], held[lapsed[0]].revision)
    return lowest_free(records, cap) if len(held) < cap else None


def lowest_free(records: Mapping[int, SlotRecord], below: int) -> TakeSlot | None:
    """Return the lowest number below `below` that nobody holds."""
    for index in range(below):
        record = records.get(index)
        if record is None or not record.holder:
            return TakeSlot(index, record.revision if record is not None else 0)
    return None
