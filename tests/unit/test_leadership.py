"""Leadership: when a worker takes the coordinator's role, and when it gives it back."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.swarm.membership.leadership import Leader, Peer, heirs, stance

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

COORDINATOR = Peer(node="lead", run="1", by_role=True, gone=False)
PROMOTED = Peer(node="hand", run="2", by_role=False, gone=False)
peers = st.lists(
    st.builds(
        Peer,
        node=st.sampled_from("abc"),
        run=st.sampled_from("123"),
        by_role=st.booleans(),
        gone=st.booleans(),
        well=st.booleans(),
    ),
    max_size=5,
)


def standing(*known: Peer, certain: bool = True, settled: bool = True, in_touch: bool = True) -> str:
    return stance(known, leads=False, held=False, in_touch=in_touch, settled=settled, certain=certain)


def leading(*known: Peer, held: bool = True, in_touch: bool = True) -> str:
    return stance(known, leads=True, held=held, in_touch=in_touch, settled=True, certain=True)


def gone(peer: Peer) -> Peer:
    return replace(peer, gone=True)


def test_who_sees_somebody_lead_follows() -> None:
    assert standing(COORDINATOR) == standing(PROMOTED) == standing(gone(COORDINATOR), PROMOTED) == "follow"


def test_a_coordinator_that_only_looks_unwell_is_not_yet_replaced() -> None:
    assert standing(replace(COORDINATOR, well=False)) == "follow"


def test_when_everybody_who_led_is_gone_the_role_is_free() -> None:
    assert standing(gone(COORDINATOR), gone(PROMOTED), certain=False) == "contend"


def test_where_nobody_ever_led_it_is_free_once_one_may_be_certain() -> None:
    assert standing(certain=False) == "follow"
    assert standing() == "contend"


def test_who_has_just_come_leaves_it_to_those_who_may_be_coming_back() -> None:
    assert standing(gone(COORDINATOR), certain=False, settled=False) == "follow"


def test_the_role_is_given_back_when_a_coordinator_is_well_or_the_lease_is_gone() -> None:
    assert leading() == leading(PROMOTED) == leading(gone(COORDINATOR)) == "lead"
    assert leading(COORDINATOR) == "step down"
    assert leading(held=False) == "step down"
    assert leading(replace(COORDINATOR, well=False)) == "lead", "it may be dying: nothing is gained by haste"


def test_a_leader_that_is_cut_off_keeps_the_role_until_its_lease_runs_out() -> None:
    assert leading(gone(COORDINATOR), in_touch=False) == "lead"
    assert leading(gone(COORDINATOR), in_touch=False, held=False) == "step down"


@given(peers, st.booleans(), st.booleans())
def test_who_does_not_hear_itself_never_contends(known: list[Peer], certain: bool, settled: bool) -> None:
    assert standing(*known, certain=certain, settled=settled, in_touch=False) == "follow"


@given(peers, *itertools.repeat(st.booleans(), 5))
def test_nobody_contends_or_leads_beside_a_coordinator_that_is_well(
    known: list[Peer], leads: bool, held: bool, in_touch: bool, settled: bool, certain: bool
) -> None:
    decided = stance(
        [*known, COORDINATOR], leads=leads, held=held, in_touch=in_touch, settled=settled, certain=certain
    )
    assert decided in ("follow", "step down")


@given(peers, *itertools.repeat(st.booleans(), 4))
def test_one_without_its_lease_never_leads(
    known: list[Peer], leads: bool, in_touch: bool, settled: bool, certain: bool
) -> None:
    decided = stance(known, leads=leads, held=False, in_touch=in_touch, settled=settled, certain=certain)
    assert decided != "lead"


def test_heirs_are_the_coordinators_that_are_well_else_the_promoted_one() -> None:
    other = Peer(node="other", run="3", by_role=True, gone=False)
    assert heirs([PROMOTED, COORDINATOR, other]) == [Leader("lead", "1"), Leader("other", "3")]
    assert heirs([PROMOTED, gone(COORDINATOR)]) == [Leader("hand", "2")]
    assert heirs([replace(COORDINATOR, well=False), gone(PROMOTED)]) == []
