"""From what a person typed to the one thing that is meant."""

import pytest

from picoclaw.errors import Ambiguous, NotFound
from picoclaw.swarm.resolve import the_one

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

IDS = ["r-abcd", "r-abxy", "r-b234", "r-ab"]


@pytest.mark.parametrize(
    ("typed", "found"), [("r-b", "r-b234"), ("r-abcd", "r-abcd"), ("r-ab", "r-ab"), ("r-abx", "r-abxy")]
)
def test_a_unique_beginning_or_the_whole_name(typed: str, found: str) -> None:
    assert the_one(typed, IDS, "request", hint="") == found


def test_several_are_listed_five_at_most() -> None:
    many = [f"r-a{letter}" for letter in "bcdefgh"]

    with pytest.raises(
        Ambiguous, match=r"'r-a' fits 7 requests: r-ab, r-ac, r-ad, r-ae, r-af and 2 more; type more"
    ):
        the_one("r-a", many, "request", hint="")


def test_none_names_the_nearest_or_says_what_there_is() -> None:
    with pytest.raises(NotFound, match="no node is called 'wroker'; did you mean worker"):
        the_one("wroker", ["worker", "lead"], "node", hint="none")
    with pytest.raises(NotFound, match="no node is called 'zzz'; see the list"):
        the_one("zzz", ["worker"], "node", hint="see the list")
