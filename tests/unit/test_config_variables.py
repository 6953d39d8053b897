"""Variables that commands of agents are shown: names alone, and no key of a service."""

import pytest

from picoclaw.config.keys import KEYS
from picoclaw.config.values import parse_value
from picoclaw.errors import ConfigError

pytestmark = pytest.mark.unit


def test_names_are_taken_once() -> None:
    assert parse_value(KEYS["agents.env"], " JAVA_HOME,LC_TIME,JAVA_HOME") == ("JAVA_HOME", "LC_TIME")


@pytest.mark.parametrize("name", ["A=b", "1A", "A B", "É"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no name of an environment variable"):
        parse_value(KEYS["agents.env"], name)


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "openai_api_key", "ANTHROPIC_AUTH_TOKEN"])
def test_a_key_of_a_service_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="leave it out"):
        parse_value(KEYS["agents.env"], name)
