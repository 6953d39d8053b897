"""The registry: what a node offers, what it cannot, and who serves a demand."""

import asyncio
from dataclasses import dataclass

import pytest

from picoclaw.capabilities.executor import Context, Executor, Executors, Readiness
from picoclaw.capabilities.registry import NO_MODEL, find_executor, load_executors, offer
from picoclaw.errors import FinalError, NameRefused
from picoclaw.swarm.demand import parse_demand, pull_rank, serves
from picoclaw.swarm.records import QueuedTask, Result

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Fixed:
    """An executor that is ready or lacks something."""

    capabilities: frozenset[str]
    needs: str = ""

    def readiness(self, capability: str) -> Readiness:
        return Readiness(not self.needs, self.needs)

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        return Result(summary=task.id)


def table(*executors: Fixed) -> Executors:
    return {name: executor for executor in executors for name in executor.capabilities}


REVIEWS = Fixed(frozenset({"code", "security", "docs", "testing", "python"}))
BARE = Fixed(REVIEWS.capabilities, "needs the review tools: install picoclaw-swarm[review]")


def test_a_named_capability_is_offered_by_its_wire_name() -> None:
    ready, not_ready = offer(("audit", "Documentation"), "specialist", "n", {"region": "eu"}, table(REVIEWS))
    assert ready.capabilities == ready.named == {"security", "docs"}
    assert ready.labels == {"region": "eu"}
    assert not ready.general
    assert not_ready == {}
    assert pull_rank(ready, parse_demand("security")) == 0


def test_general_stands_for_whatever_this_machine_can_serve_now() -> None:
    ready, not_ready = offer(
        ("general",), "worker", "n", {}, table(REVIEWS, Fixed(frozenset({"gpu"}), "needs a GPU"))
    )
    assert ready.general
    assert ready.capabilities == REVIEWS.capabilities
    assert ready.named == frozenset()
    assert not_ready == {}
    assert pull_rank(ready, parse_demand("code")) == 7


def test_general_on_a_machine_without_tools_says_what_it_needs() -> None:
    ready, not_ready = offer(("general",), "worker", "n", {}, table(BARE))
    assert ready.capabilities == frozenset()
    assert not_ready == {"general": "needs the review tools: install picoclaw-swarm[review]"}


def test_role_marks_are_neither_served_nor_missing() -> None:
    ready, not_ready = offer(("coordination", "scheduling"), "coordinator", "n", {}, table(REVIEWS))
    assert ready.capabilities == frozenset()
    assert ready.named == {"coordination", "scheduling"}
    assert not_ready == {}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("research", NO_MODEL),
        ("writing", NO_MODEL),
        ("rust", "no analyzer for rust in this version"),
        ("golang", "no analyzer for go in this version"),
        ("cobol", "no executor on this machine serves it"),
    ],
)
def test_a_capability_without_an_executor_is_not_ready_and_says_why(name: str, why: str) -> None:
    ready, not_ready = offer((name,), "worker", "n", {}, table(REVIEWS))
    assert ready.capabilities == frozenset()
    assert list(not_ready.values()) == [why]


def test_an_executor_that_lacks_its_tools_is_not_ready() -> None:
    _, not_ready = offer(("security",), "specialist", "n", {}, table(BARE))
    assert not_ready == {"security": "needs the review tools: install picoclaw-swarm[review]"}


def test_a_name_that_no_node_can_carry_is_refused() -> None:
    with pytest.raises(NameRefused, match="not a valid name"):
        offer(("a.b",), "worker", "n", {}, table(REVIEWS))


def test_a_python_node_also_serves_code() -> None:
    ready, _ = offer(("python",), "specialist", "n", {}, table(REVIEWS))
    assert ready.capabilities == {"python"}
    assert serves(ready, parse_demand("code"))
    assert not serves(ready, parse_demand("docs"))
    assert find_executor(parse_demand("code"), table(REVIEWS)) is REVIEWS


def test_a_demand_for_two_capabilities_wants_one_executor_that_serves_both() -> None:
    gpu = Fixed(frozenset({"gpu"}))
    assert find_executor(parse_demand("docs+security"), table(REVIEWS, gpu)) is REVIEWS
    assert asks_for_more(find_executor(parse_demand("docs+gpu"), table(REVIEWS, gpu)), "docs and gpu")
    assert find_executor(parse_demand("docs+tpu"), table(REVIEWS, gpu)) is None


def asks_for_more(executor: Executor | None, words: str) -> bool:
    """Whether the task would be refused, with these words."""
    assert executor is not None
    with pytest.raises(FinalError, match=words):
        asyncio.run(executor.execute(None, None))  # type: ignore[arg-type]
    return True


def test_a_capability_says_what_is_done_where_the_demand_only_says_where() -> None:
    gpu = Fixed(frozenset({"gpu"}))
    assert find_executor(parse_demand("node:n"), table(REVIEWS, gpu), "gpu") is gpu
    assert find_executor(parse_demand("node:n"), table(REVIEWS, gpu), "code") is REVIEWS
    assert asks_for_more(find_executor(parse_demand("node:n"), table(REVIEWS, gpu), "tpu"), "cannot do tpu")
    assert find_executor(parse_demand("gpu"), table(REVIEWS, gpu), "tpu") is None


def test_an_executor_that_is_not_ready_is_not_found() -> None:
    assert find_executor(parse_demand("code"), table(BARE)) is None
    assert find_executor(parse_demand("cobol"), table(REVIEWS)) is None


def test_a_demand_for_a_node_goes_to_its_only_executor() -> None:
    gpu = Fixed(frozenset({"gpu"}))
    assert find_executor(parse_demand("node:n"), table(REVIEWS)) is REVIEWS
    assert asks_for_more(find_executor(parse_demand("node:n"), table(REVIEWS, gpu)), "--capability")


def test_the_shipped_families_serve_the_review() -> None:
    executors = load_executors()
    assert REVIEWS.capabilities <= set(executors)
    assert len({id(executors[name]) for name in REVIEWS.capabilities}) == 1
