"""Made-up agents only ever narrow the profile that runs them, whoever sends them."""

import pytest

from picoclaw.capabilities.agent.budget.limits import Budget
from picoclaw.capabilities.agent.profiles.inline import inline, to_give, within
from picoclaw.capabilities.agent.profiles.profile import Profile
from picoclaw.errors import FinalError

pytestmark = pytest.mark.unit

PROFILE = Profile(name="coder", system="You code.", tools=("read", "mcp__*"), budget=Budget(usd=1.0, turns=5))


def test_a_task_without_one_leaves_the_profile_as_it_is() -> None:
    assert inline(PROFILE, {"text": "x"}) is PROFILE
    assert inline(PROFILE, {"agent": "coder"}) is PROFILE


def test_it_narrows_tools_and_budget_and_says_more() -> None:
    made = inline(
        PROFILE,
        {
            "agent": {
                "name": "helper",
                "system": "You help.",
                "tools": ["read", "bash"],
                "usd": 5.0,
                "tokens": 9,
            }
        },
    )
    assert made.name == "coder/helper"
    assert made.system == "You code.\n\nYou help."
    assert made.tools == ("read",)
    assert made.left == ("read", "bash"), "nothing of an MCP server and no skill was given"
    assert made.budget == Budget(usd=1.0, tokens=9, turns=5)


def test_what_an_agent_may_hand_on_is_what_it_has_of_every_kind() -> None:
    assert to_give(Profile(name="a", mcp=("shop",))) is None
    whole = Profile(name="a", tools=("read",), mcp=("shop",), skills=("git",))
    assert to_give(whole) == ("read", "mcp__*", "skill")
    assert to_give(Profile(name="a", tools=("read",))) == ("read",)
    part = inline(whole, {"agent": {"name": "b", "tools": ["read", "mcp__shop__add"]}})
    assert to_give(part) == ("read", "mcp__shop__add")
    assert to_give(inline(whole, {"agent": {"name": "b", "tools": []}})) == ()
    assert to_give(inline(whole, {"agent": {"name": "b"}})) == ("read", "mcp__*", "skill")


@pytest.mark.parametrize(
    ("wanted", "allowed", "left"),
    [
        (None, None, None),
        (None, ("read",), ("read",)),
        (("*",), ("read", "mcp__*"), ()),
        (("mcp__github__list", "mcp__*", "bash"), ("read", "mcp__*"), ("mcp__github__list", "mcp__*")),
        (("re?d",), ("read",), ()),
        (("read",), None, ("read",)),
        ((), ("read",), ()),
    ],
)
def test_tools_within_what_is_allowed(
    wanted: tuple[str, ...] | None, allowed: tuple[str, ...] | None, left: tuple[str, ...] | None
) -> None:
    assert within(wanted, allowed) == left


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": "a b"},
        {"name": "x", "model": "other/model"},
        {"name": "x", "policy": {"default": "allow"}},
        {"name": "x", "turns": 0},
        {"name": "x", "usd": -1},
        {"name": "x", "system": "y" * 20_001},
    ],
)
def test_what_it_may_not_say_is_refused_in_words(wrong: dict[str, object]) -> None:
    with pytest.raises(FinalError, match="makes no agent up"):
        inline(PROFILE, {"agent": wrong})  # type: ignore[dict-item]
