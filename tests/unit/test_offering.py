"""What a node says of itself: what it can do, and what was defined for it and it cannot."""

from dataclasses import replace

import pytest

from picoclaw.capabilities.agent.coding.known import CODEX
from picoclaw.capabilities.agent.coding.served import CodingExecutor
from picoclaw.capabilities.executor import Described
from picoclaw.config.settings import SwarmSettings
from picoclaw.errors import ConfigError
from picoclaw.roles.offering import make_offering
from picoclaw.swarm.membership.heartbeat import Advert
from picoclaw.tests.support.executors import Runs, executors

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


class Defined(Runs):
    """One that stands in a definition of the user's."""

    described = Described(kind="command", place="mine.yaml:1", text="")


HERE = executors(Runs("code"), Runs("rust", ready=False), Defined("mine", ready=False))
GENERAL = SwarmSettings(capabilities=("general",))


def test_a_generalist_tells_what_was_defined_for_it_and_it_lacks() -> None:
    made = make_offering(GENERAL, "here", HERE, capabilities_given=True)

    assert made.offer.capabilities == {"code"}
    assert made.not_ready == {"mine": "a test that makes it ready"}, "of rust nobody spoke"


def test_strict_is_about_what_a_node_was_told_to_serve() -> None:
    strict = replace(GENERAL, strict=True)
    make_offering(strict, "here", HERE, capabilities_given=True).check_strict(strict)
    strict = replace(strict, capabilities=("mine",))

    with pytest.raises(ConfigError, match="mine: a test that makes it ready"):
        make_offering(strict, "here", HERE, capabilities_given=True).check_strict(strict)


def test_a_generalist_tells_of_programs_that_would_be_agents_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CODEX_API_KEY", "sk-x")
    mine = {**HERE, "agent:codex": CodingExecutor(CODEX)}
    made = make_offering(GENERAL, "here", mine, capabilities_given=True)
    needs = "needs codex on the PATH: install it, or add its folder to the node's PATH"

    assert made.advertised_by(Advert(node="here", run="r", sid="s", role="worker", slots=1)).optional == {
        "codex": needs
    }
    assert "agent:codex" not in made.not_ready, "nobody asked for it"
    special = replace(GENERAL, capabilities=("code",))
    made = make_offering(special, "here", mine, capabilities_given=True)
    assert not made.advertised_by(Advert(node="here", run="r", sid="s", role="worker", slots=1)).optional
