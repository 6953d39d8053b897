"""The fold of a journal: broken off anywhere, however often, a run comes to one end, and no step is done twice."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from picoclaw.capabilities.agent.approvals.asking import Answer, Asking
from picoclaw.capabilities.agent.approvals.policy import Policy, Rule
from picoclaw.capabilities.agent.budget.of_journal import spent_in
from picoclaw.capabilities.agent.context import Letter
from picoclaw.capabilities.agent.loop.run import Ended
from picoclaw.capabilities.agent.loop.state import begin, fold_all
from picoclaw.capabilities.agent.models.conversation import Assistant, ToolAnswer, ToolCall, Turn, Usage, User
from picoclaw.swarm.steps import Intent, Outcome
from picoclaw.tests.support.agent_work import MODEL, Crash, Recorder, Rehearsal, says

pytestmark = [pytest.mark.unit, pytest.mark.timeout(120)]

USES = {
    "look": ("look",),
    "act": ("act",),
    "gated": ("gated",),
    "beside": ("ask", "ask", "ask"),
    "mixed": ("look", "act", "ask", "ask", "fail"),
    "unknown": ("nobody knows it",),
    "cut": (),
}
"""What a turn uses; `cut` is an answer that was cut at its length."""


def turn_of(what: str, number: int) -> Turn:
    """A turn whose calls are like no other, as those of a model that gets on."""
    usage = Usage(input=10, output=5, usd=0.01)
    if what == "cut":
        return Turn(message=Assistant(text="so "), stop="length", model=MODEL, usage=usage)
    calls = tuple(
        ToolCall(id=f"c{number}-{n}", name=name, arguments={"n": f"{number}-{n}"})
        for n, name in enumerate(USES[what])
    )
    return Turn(message=Assistant(text="I", calls=calls), stop="tools", model=MODEL, usage=usage)


POLICY = Policy(default="allow", rules=(Rule(tool="gated", decision="ask"), Rule(tool="ask", decision="ask")))


@dataclass(slots=True)
class People:
    """They let what is gated be done, and go on without what is in doubt."""

    of: Rehearsal

    async def ask(self, asking: Asking) -> Answer:
        self.of.approvals_asked.append(asking)
        return Answer(verdict="skip" if asking.about == "uncertain" else "allow", by="ann")


class Run(Rehearsal):
    @property
    def approvals(self) -> Any:
        return People(self)


def rehearse(folder: Any, plan: Sequence[str], *, window: int | None) -> Run:
    tools = [
        Recorder("look", answer="seen " * 40),
        Recorder("act", repeatable=False),
        Recorder("gated"),
        Recorder("ask", alongside=True),
        Recorder("fail", error=True, answer="no"),
    ]
    run = Run(
        folder,
        [*(turn_of(one, number) for number, one in enumerate(plan)), says("the end")],
        tools,
        policy=POLICY,
        context_window=window,
        by_count=window is not None,  # a conversation that was put in short no longer tells
    )
    run.letters.append(Letter(id="l1", sender="r-x.other", text="look left"))
    return run


async def lived(run: Run, crashes: Sequence[tuple[int, bool]]) -> Ended:
    """An attempt for each crash, and the last to its end."""
    for point, stored in crashes:
        with suppress(Crash):
            await run.go(breaks_before=len(run.journal_.wire) + point, stored=stored)
    return await run.go()


def check_steps(run: Run) -> None:
    """No step has two ends, nor is begun again after its end."""
    ended: set[int] = set()
    for step in run.steps:
        if isinstance(step, Intent | Outcome):
            assert step.number not in ended, step
            if isinstance(step, Outcome):
                ended.add(step.number)


@settings(max_examples=30, deadline=None)
@given(
    plan=st.lists(st.sampled_from([*sorted(USES), "act", "mixed"]), max_size=5),
    crashes=st.lists(st.tuples(st.integers(2, 16), st.booleans()), max_size=5),
)
@example(plan=["act"], crashes=[(6, False)])  # done, and its outcome lost
@example(plan=["beside"], crashes=[(9, False), (5, True)])
async def test_a_run_broken_off_anywhere_does_nothing_twice(
    plan: Sequence[str], crashes: Sequence[tuple[int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = rehearse(tmp_path_factory.mktemp("run"), plan, window=None)

    ended = await lived(run, crashes)
    assert ended.text.endswith("the end")
    check_steps(run)
    act = next(tool for tool in run.tools if tool.name == "act")
    assert max(Counter(act.uses).values(), default=0) <= 1, "what may not be repeated was"
    assert len(act.uses) <= sum(one in ("act", "mixed") for one in plan)
    assert len(run.asked) <= len(plan) + 1 + len(crashes)
    assert ended.state.turns == len(plan) + 1
    assert ended.state.spent.turns == ended.state.turns + ended.state.spent.maybe_billed
    assert ended.state.spent.turns >= len(run.asked), "whatever was asked is counted"
    assert spent_in(run.steps) == ended.state.spent, "the coordinator counts as the loop does"
    assert fold_all(begin(User(text="do it")), run.steps) == ended.state
    said = [one.text for one in run.asked[-1].messages if isinstance(one, User)]
    assert sum(text.count("look left") for text in said) == 1
    calls = [call.id for one in run.asked[-1].messages if isinstance(one, Assistant) for call in one.calls]
    given_ = [one.call for one in run.asked[-1].messages if isinstance(one, ToolAnswer)]
    assert sorted(calls) == sorted(given_), "each call has one answer"


@settings(max_examples=15, deadline=None)
@given(
    plan=st.lists(st.sampled_from(["look", "act", "beside"]), min_size=3, max_size=6),
    crashes=st.lists(st.tuples(st.integers(2, 30), st.booleans()), max_size=4),
)
async def test_a_run_that_is_put_in_short_meanwhile_does_nothing_twice_either(
    plan: Sequence[str], crashes: Sequence[tuple[int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = rehearse(tmp_path_factory.mktemp("run"), plan, window=600)

    ended = await lived(run, crashes)
    assert ended.text.endswith("the end")
    check_steps(run)
    assert spent_in(run.steps) == ended.state.spent
    assert fold_all(begin(User(text="do it")), run.steps) == ended.state
