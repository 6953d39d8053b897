"""The one table: complete, without doubles, and with the guide's names."""

from dataclasses import fields, is_dataclass

import pytest

from picoclaw.config.durations import format_duration
from picoclaw.config.keys import BY_ENV, BY_FLAG, KEYS
from picoclaw.config.load import value_of
from picoclaw.config.settings import Settings

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def leaves(value: object, prefix: str = "") -> list[str]:
    assert is_dataclass(value)
    names: list[str] = []
    for item in fields(value):
        inner = getattr(value, item.name)
        name = prefix + item.name
        names += leaves(inner, f"{name}.") if is_dataclass(inner) else [name]
    return names


def test_every_setting_has_exactly_one_key() -> None:
    assert sorted(KEYS) == sorted(leaves(Settings()))


def test_no_spelling_is_used_twice() -> None:
    assert len(BY_ENV) == len(KEYS)
    assert len(BY_FLAG) == sum(len(key.flags) for key in KEYS.values())


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ("PICOCLAW_SWARM_ENABLED", "swarm.enabled"),
        ("PICOCLAW_SWARM_ROLE", "swarm.role"),
        ("PICOCLAW_SWARM_NATS_URLS", "swarm.nats.urls"),
        ("PICOCLAW_SWARM_CAPABILITIES", "swarm.capabilities"),
        ("PICOCLAW_SWARM_MAX_CONCURRENT", "swarm.max_concurrent"),
        ("PICOCLAW_SWARM_HID", "swarm.hid"),
        ("PICOCLAW_SWARM_SID", "swarm.sid"),
    ],
)
def test_the_guides_environment_names(env: str, key: str) -> None:
    assert BY_ENV[env].name == key


@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("--swarm.enabled", "swarm.enabled"),
        ("--swarm.max_concurrent", "swarm.max_concurrent"),
        ("--swarm.max-concurrent", "swarm.max_concurrent"),
        ("--swarm.nats.credentials", "swarm.nats.credentials"),
        ("--swarm.temporal.address", "swarm.temporal.address"),
        ("--swarm.temporal.task-queue", "swarm.temporal.task_queue"),
        ("--swarm.heartbeat-interval", "swarm.nats.heartbeat_interval"),
        ("--swarm.nats.heartbeat_interval", "swarm.nats.heartbeat_interval"),
        ("--swarm.node-timeout", "swarm.nats.node_timeout"),
        ("--swarm.hid", "swarm.hid"),
        ("--swarm.sid", "swarm.sid"),
        ("--log.level", "log.level"),
    ],
)
def test_the_guides_flags(flag: str, key: str) -> None:
    assert BY_FLAG[flag].name == key


def test_the_guides_defaults() -> None:
    swarm = Settings().swarm
    assert (swarm.enabled, swarm.role, swarm.capabilities) == (False, "worker", ("general",))
    assert (swarm.max_concurrent, swarm.nats.urls) == (5, ("nats://localhost:4222",))
    assert format_duration(swarm.nats.heartbeat_interval) == "10s"
    assert swarm.nats.node_timeout.total_seconds() == 60
    assert (swarm.temporal.address, swarm.temporal.task_queue) == ("", "picoclaw-swarm")


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.kind in ("int", "duration", "choice")])
def test_help_shows_the_real_default(key: object) -> None:
    from picoclaw.config.keys import Key

    assert isinstance(key, Key)
    assert f"({_written(value_of(Settings(), key.name))})" in key.help


def _written(value: object) -> str:
    from datetime import timedelta

    if value is None:
        return "none"
    return f"{value.total_seconds():g}s" if isinstance(value, timedelta) else str(value)
