"""The command that starts a node for a demand that nobody serves."""

import pytest

from picoclaw.cli.request.unserved import node_for
from picoclaw.swarm.demand import parse_demand

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("demand", "flags"),
    [
        ("code", "--swarm.capabilities code"),
        ("docs+security", "--swarm.capabilities docs,security"),
        ("code@region=us", "--swarm.capabilities code --swarm.labels region=us"),
        ("node:hand", "--swarm.name hand"),
    ],
)
def test_it_is_a_worker_with_what_the_demand_asks(demand: str, flags: str) -> None:
    assert node_for(parse_demand(demand), embedded=False) == f"picoclaw --swarm.role worker {flags}"
    assert node_for(parse_demand(demand), embedded=True).endswith(f"{flags} --swarm.nats.embedded")


def test_no_flag_makes_an_agent() -> None:
    assert node_for(parse_demand("agent:coder"), embedded=True) == ""
