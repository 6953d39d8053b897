"""Why a task waits: the words that say who comes near and what is lacking."""

import pytest

from picoclaw.swarm.demand import Offer, parse_demand
from picoclaw.swarm.unroutable import nearest, why_unroutable

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


def offer(node: str, *capabilities: str, **more: object) -> Offer:
    return Offer(node=node, role="worker", capabilities=frozenset(capabilities), **more)  # type: ignore[arg-type]


def why(demand: str, *offers: Offer) -> str:
    return why_unroutable(parse_demand(demand), offers)


def test_it_names_the_nearest_node_what_it_lacks_and_what_is_offered() -> None:
    assert why("security", offer("claw-1a2b3c4d", "code", "docs")) == (
        "no node offers security; nearest: claw-1a2b3c4d (lacks capability security); offered: code, docs"
    )


def test_the_node_that_lacks_least_comes_first() -> None:
    offers = [offer("a"), offer("b", "docs"), offer("c", "docs", "gpu")]
    assert nearest(parse_demand("docs+gpu+security"), offers) == [
        ("c", ("capability security",)),
        ("b", ("capability gpu", "capability security")),
        ("a", ("capability docs", "capability gpu", "capability security")),
    ]
    assert "nearest: c (lacks capability security)" in why("docs+gpu+security", *offers)


def test_a_node_with_capabilities_is_a_better_example_than_a_bare_coordinator() -> None:
    assert "nearest: z (" in why("security", offer("a"), offer("z", "code"))


def test_a_missing_label_is_named() -> None:
    text = why("gpu@region=us", offer("a", "gpu", labels={"region": "eu"}))
    assert text == "no node offers gpu@region=us; nearest: a (lacks label region=us)"


def test_a_slip_of_the_pen_is_answered_with_the_capability_that_is_there() -> None:
    assert "no node offers secruity (did you mean security?)" in why("secruity", offer("a", "security"))
    assert "(did you mean agent:coder?)" in why("agent:codr", offer("a", agents=frozenset({"coder"})))


def test_who_declares_what_is_not_ready_is_named_with_what_it_needs() -> None:
    needy = offer("w1", not_ready={"tooly": "program tooly is not on the PATH"})
    said = "node w1 declares it and cannot serve it now: program tooly is not on the PATH"

    assert why("tooly", offer("a", "toolwait"), needy) == f"no node offers tooly; {said}"
    assert why("tooly", needy) == f"no node offers tooly; {said}"
    assert why("docs+tooly", offer("a", "docs"), needy) == f"no node offers docs+tooly; for tooly, {said}"
    assert why("tooly", offer("a", "tooly"), needy) == ""
    assert why("tooly@site=x", offer("a", "tooly"), needy).startswith(
        "no node offers tooly@site=x; nearest: a ("
    )


def test_the_parent_of_a_capability_counts_as_offered() -> None:
    assert why("code", offer("a", "python")) == ""
    assert "offered: code, python" in why("docs", offer("a", "python"))


def test_a_node_that_is_away_is_named_with_the_nearest_name_or_those_online() -> None:
    assert why("node:claw-1", offer("claw-2")) == "node claw-1 is not online; nearest: claw-2"
    assert why("node:xyz", *(offer(f"claw-{i}") for i in range(5))) == (
        "node xyz is not online; online: claw-0, claw-1, claw-2 and 2 more"
    )


def test_no_node_at_all_is_said_so() -> None:
    assert why("docs") == "no node offers docs: none is online"


def test_it_does_not_depend_on_the_order_of_nodes() -> None:
    offers = [offer("b", "code"), offer("a", "docs"), offer("c")]
    assert why("gpu", *offers) == why("gpu", *reversed(offers))


def test_of_a_program_that_would_be_an_agent_it_says_what_it_needs() -> None:
    text = why(
        "agent:claude", offer("n", "code", optional={"claude": "needs claude on the PATH: install it"})
    )
    assert "nearest: n (lacks agent claude: needs claude on the PATH: install it)" in text
