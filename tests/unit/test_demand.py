"""Demands: one canonical form, and who may serve what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.config.names import ALIASES, GENERAL, PARENTS, ROLE_MARKS
from picoclaw.errors import NameRefused, PlanError, UsageError
from picoclaw.swarm.demand import Demand, Offer, missing, parse_demand, pull_rank, serves

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

words = st.sampled_from(["code", "docs", "security", "gpu", "python", "rust", "research"])
plain = st.text("abcdefgh .*>äß中", min_size=1, max_size=12).map(str.strip).filter(bool)
labels = st.dictionaries(plain, plain, max_size=3)
demands = (
    st.builds(lambda caps, labs: "+".join(caps) + "".join(f"@{k}={v}" for k, v in labs.items()),
              st.lists(words, min_size=1, max_size=3), labels)
    | plain.map(lambda name: f"node:{name}")
    | plain.map(lambda name: f"agent:{name}")
)  # fmt: skip


def offer(*capabilities: str, **more: object) -> Offer:
    return Offer(node=str(more.pop("node", "n")), role="worker", capabilities=frozenset(capabilities), **more)  # type: ignore[arg-type]


# --- the canonical form ---


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("code", "code"),
        ("security+docs", "docs+security"),
        ("docs+docs", "docs"),
        (" Code ", "code"),
        ("audit", "security"),
        ("c++", "cpp"),
        ("C++", "cpp"),
        ("c+++docs", "cpp+docs"),
        ("docs+c++@os=linux", "cpp+docs@os=linux"),
        ("c#+node.js", "csharp+nodejs"),
        ("gpu@zone=b@arch=arm", "gpu@arch=arm@zone=b"),
        ("node:claw-1a2b3c4d", "node:claw-1a2b3c4d"),
        ("node:my box.local@home", "node:my box.local@home"),
        ("agent:coder", "agent:coder"),
        ("agent:coder@region=us", "agent:coder@region=us"),
    ],
)
def test_one_demand_has_one_form(text: str, canonical: str) -> None:
    assert str(parse_demand(text)) == canonical


@given(demands)
def test_the_canonical_form_is_read_back_as_the_same_demand(text: str) -> None:
    demand = parse_demand(text)
    assert parse_demand(str(demand)) == demand


@given(st.lists(words, min_size=1, max_size=4), labels, st.randoms())
def test_order_makes_no_difference(capabilities: list[str], some: dict[str, str], random: object) -> None:
    marks = [f"@{key}={value}" for key, value in some.items()]
    one = parse_demand("+".join(capabilities) + "".join(marks))
    assert parse_demand("+".join(reversed(capabilities)) + "".join(reversed(marks))) == one


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_an_alias_demands_what_it_stands_for(alias: str) -> None:
    assert parse_demand(alias).capabilities == (ALIASES[alias],)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a valid name"),
        ("code+", "not a valid name"),
        ("two words", "not a valid name"),
        ("code.review", "not a valid name"),
        ("code*", "not a valid name"),
        ("code>", "not a valid name"),
        ("co\nde", "not a valid name"),
        ("x" * 49, "not a valid name"),
        ("node:", "node name is empty"),
        ("node:a\nb", "control character"),
        ("agent:" + "x" * 129, "shorten it to 128"),
        ("gpu@region", "write it as @region=VALUE"),
        ("gpu@=us", "label name is empty"),
        ("gpu@region=", "label region is empty"),
        ("gpu@region=a=b", "rename it"),
        ("gpu@a+b=c", "rename it"),
    ],
)
def test_a_name_that_cannot_be_carried_is_refused_with_what_to_do(text: str, says: str) -> None:
    with pytest.raises(NameRefused, match=says) as refused:
        parse_demand(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("mark", sorted(ROLE_MARKS))
def test_nobody_serves_tasks_for_a_roles_mark(mark: str) -> None:
    with pytest.raises(PlanError, match="marks a role"):
        parse_demand(mark)


@given(st.text(max_size=60))
def test_whatever_is_asked_for_is_a_demand_or_is_refused(text: str) -> None:
    try:
        demand = parse_demand(text)
    except UsageError:
        return
    assert parse_demand(str(demand)) == demand


def test_node_and_agent_lanes_have_one_consumer_others_one_per_priority() -> None:
    assert [parse_demand(text).levels for text in ("code", "node:a", "agent:a", "docs@x=y")] == [4, 1, 1, 4]


# --- who may serve it ---


def test_all_capabilities_are_needed_and_what_lacks_is_named() -> None:
    demand = parse_demand("docs+gpu+security")
    assert missing(demand, offer("docs")) == ("capability gpu", "capability security")
    assert serves(offer("docs", "gpu", "security", "more"), demand)


@pytest.mark.parametrize("language", sorted(PARENTS))
def test_a_language_also_serves_code_but_code_is_not_every_language(language: str) -> None:
    assert serves(offer(language), parse_demand("code"))
    assert not serves(offer("code"), parse_demand(language))


def test_labels_must_be_the_same() -> None:
    demand = parse_demand("gpu@region=us")
    assert serves(offer("gpu", labels={"region": "us", "more": "x"}), demand)
    assert missing(demand, offer("gpu", labels={"region": "eu"})) == ("label region=us",)
    assert missing(demand, offer("gpu")) == ("label region=us",)


def test_a_nodes_own_lane_is_served_by_it_alone_whatever_it_offers() -> None:
    assert serves(offer(node="a"), parse_demand("node:a"))
    assert missing(parse_demand("node:a"), offer("code", node="b")) == ("is not node a",)


def test_an_agent_is_served_where_it_lives() -> None:
    assert serves(offer(agents=frozenset({"coder"})), parse_demand("agent:coder"))
    assert missing(parse_demand("agent:coder"), offer("code")) == ("agent coder",)


@given(st.frozensets(words), st.frozensets(words), st.lists(words, min_size=1, max_size=3))
def test_who_offers_more_serves_at_least_as_much(
    few: frozenset[str], more: frozenset[str], asked: list[str]
) -> None:
    demand = parse_demand("+".join(asked))
    if serves(offer(*few), demand):
        assert serves(offer(*few, *more), demand)


# --- specialists first ---


def ranked(role: str, named: set[str], asked: str = "code") -> int:
    pulled = Offer(node="n", role=role, capabilities=frozenset({"code", "python"}), named=frozenset(named))
    return pull_rank(pulled, parse_demand(asked))


def test_the_broker_asks_specialists_then_those_that_name_it_then_generalists() -> None:
    assert ranked("specialist", {"code"}) == 0
    assert ranked("worker", {"code"}) == 4
    assert ranked("worker", {GENERAL}) == 7
    assert ranked("specialist", {GENERAL}) == 7


def test_a_language_counts_as_naming_code() -> None:
    assert ranked("specialist", {"python"}) == 0
    assert ranked("worker", {"python", GENERAL}) == 4


def test_its_own_lane_needs_no_naming() -> None:
    assert ranked("worker", {GENERAL}, "node:n") == 4


def test_demands_are_values() -> None:
    assert Demand(capabilities=("code",)) == parse_demand("code")
    assert len({parse_demand("code"), parse_demand(" code")}) == 1
