"""Flags over environment over YAML over defaults, for every key, each with its origin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from picoclaw.config.durations import format_duration
from picoclaw.config.keys import KEYS, Key
from picoclaw.config.load import Loaded, load, value_of
from picoclaw.config.profiles import PROFILES
from picoclaw.config.settings import Settings
from picoclaw.config.values import parse_value
from picoclaw.errors import ConfigError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

SOURCES = ("file", "environment", "flag")
"""Weakest first."""

same_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

words = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 .@*é-]{0,10}[A-Za-z0-9]", fullmatch=True)
RANGES = {"swarm.nats.heartbeat_interval": (1, 5_000), "swarm.nats.node_timeout": (20_000, 100_000)}
"""Milliseconds in which every pair fits together, one that a profile gives included."""


def values_of(key: Key, folder: Path) -> st.SearchStrategy[object]:
    """Values that the key takes, and that fit with those of any other key."""
    match key.kind:
        case "bool":
            return st.just(False) if key.name.endswith("embedded") else st.booleans()
        case "int" if key.name.endswith("replicas"):
            return st.sampled_from([1, 3, 5])
        case "int":
            return st.integers(int(key.minimum or 0), int(key.maximum or 0))
        case "duration":
            low, high = RANGES.get(key.name, (int((key.minimum or 0) * 1000), 10**7))
            return st.integers(max(low, int((key.minimum or 0) * 1000)), high).map(
                lambda n: timedelta(milliseconds=n)
            )
        case "capabilities":
            return st.lists(words.map(lambda w: f"x{w}"), min_size=1, max_size=3, unique=True).map(tuple)
        case "urls":
            return st.lists(words.map(lambda w: f"nats://{w}:4222"), min_size=1, max_size=3, unique=True).map(
                tuple
            )
        case "labels":
            return st.dictionaries(words, words, min_size=1, max_size=3)
        case "choice":
            return st.sampled_from(key.choices)
        case "path":
            return st.sampled_from([folder / "one.pem", folder / "two.pem"])
        case "model":
            return words.map(lambda w: f"openai/{w}")
        case "variables":
            return st.lists(words.map(lambda w: f"X_{w}"), min_size=1, max_size=3, unique=True).map(tuple)
        case "models":
            return st.lists(words.map(lambda w: f"openai/{w}"), min_size=1, max_size=3, unique=True).map(
                tuple
            )
        case "address":
            return words.map(lambda w: f"http://{w}:80/v1")
        case "paths":
            there = st.sampled_from([folder, folder / "one.pem", folder / "two.pem"])
            return st.lists(there, min_size=1, max_size=3, unique=True).map(tuple)
        case "credentials":
            return st.tuples(words, words).map(":".join)
        case _:
            return names


def written(value: object) -> str:
    """The value as it stands in a flag or variable."""
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return format_duration(value)
        case dict():
            return ",".join(f"{name}={item}" for name, item in value.items())
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def in_yaml(value: object) -> object:
    """The value as YAML's own types have it."""
    match value:
        case timedelta():
            return format_duration(value)
        case tuple():
            return [str(item) for item in value]
        case Path():
            return str(value)
        case _:
            return value


def nested(flat: Mapping[str, object]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for name, value in flat.items():
        *parents, last = name.split(".")
        place = tree
        for parent in parents:
            inner = place.setdefault(parent, {})
            assert isinstance(inner, dict)
            place = inner
        place[last] = in_yaml(value)
    return tree


@dataclass
class Given:
    """What each source says, by source and key."""

    file: dict[str, object]
    environment: dict[str, object]
    flag: dict[str, object]

    def load(self, folder: Path) -> Loaded:
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(nested(self.file), allow_unicode=True), encoding="utf-8")
        return load(
            {name: written(value) for name, value in self.flag.items()},
            {KEYS[name].env: written(value) for name, value in self.environment.items()},
            file=path,
            home=folder,
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.pem", "two.pem"):
        (tmp_path / name).touch()
    return tmp_path


TOGETHER = sorted(KEYS.keys() - {"swarm.nats.token", "swarm.nats.tls.cert", "swarm.nats.tls.key"})
"""Keys that can all be given at once; the others exclude or need one of them."""


@same_folder
@given(data=st.data())
def test_the_highest_source_wins_and_the_origin_says_so(data: st.DataObject, folder: Path) -> None:
    told = Given({}, {}, {})
    for name in data.draw(st.lists(st.sampled_from(TOGETHER), unique=True, max_size=8), label="keys"):
        for source in data.draw(st.sets(st.sampled_from(SOURCES)), label=name):
            getattr(told, source)[name] = data.draw(values_of(KEYS[name], folder), label=f"{name} {source}")

    loaded = told.load(folder)

    profile = loaded.settings.swarm.profile
    for name in TOGETHER:
        winner = next((s for s in reversed(SOURCES) if name in getattr(told, s)), "default")
        if winner == "default" and name in PROFILES.get(profile or "", {}):
            assert value_of(loaded.settings, name) == parse_value(KEYS[name], PROFILES[profile or ""][name])
            assert str(loaded.origins[name]) == f"profile {profile}"
            assert not loaded.given(name)
            continue
        if name == "swarm.enabled" and winner != "flag" and any(n.startswith("swarm.") for n in told.flag):
            assert loaded.settings.swarm.enabled
            assert loaded.origins[name].source == "flag"
            continue
        expected = getattr(told, winner)[name] if winner != "default" else value_of(Settings(), name)
        assert value_of(loaded.settings, name) == expected
        assert loaded.origins[name].source == winner
        assert loaded.given(name) == (winner != "default")


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_each_source_reads_the_same_value(key: Key, folder: Path) -> None:
    pair = {"swarm.nats.tls.cert": "swarm.nats.tls.key", "swarm.nats.tls.key": "swarm.nats.tls.cert"}

    @settings(same_folder, max_examples=15)
    @given(values_of(key, folder))
    def check(value: object) -> None:
        flat = {key.name: value}
        if other := pair.get(key.name):
            flat[other] = folder / "one.pem"
        for source in (Given(flat, {}, {}), Given({}, flat, {}), Given({}, {}, flat)):
            assert value_of(source.load(folder).settings, key.name) == value

    check()


def of(flags: Mapping[str, object], environ: Mapping[str, str] | None = None) -> Loaded:
    return load(flags, environ or {}, file=None, home=Path("/nonexistent"))


def test_any_node_flag_implies_enabled() -> None:
    loaded = of({"swarm.role": "coordinator"})
    assert loaded.settings.swarm.enabled
    assert str(loaded.origins["swarm.enabled"]) == "flag --swarm.role, which implies it"


def test_a_node_flag_overrules_an_environment_that_disables() -> None:
    assert of({"swarm.role": "worker"}, {"PICOCLAW_SWARM_ENABLED": "false"}).settings.swarm.enabled


def test_a_log_flag_and_environment_settings_enable_nothing() -> None:
    assert not of({"log.level": "debug"}, {"PICOCLAW_SWARM_ROLE": "worker"}).settings.swarm.enabled


def test_enabled_false_beside_a_node_flag_holds() -> None:
    assert not of({"swarm.role": "worker", "swarm.enabled": "false"}).settings.swarm.enabled


def test_every_spelling_of_a_flag_is_taken() -> None:
    for name in ("swarm.max-concurrent", "--swarm.max-concurrent", "--swarm.max_concurrent"):
        assert of({name: 3}).settings.swarm.max_concurrent == 3


def test_an_unknown_flag_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"swarm\.max_concurrent"):
        of({"swarm.max_concurent": "3"})


GUIDE_PROFILES: dict[str, tuple[int, float, float, bool | None]] = {
    "small": (5, 10, 30, None),
    "medium": (10, 5, 20, None),
    "large": (20, 3, 15, True),
}


@pytest.mark.parametrize("profile", GUIDE_PROFILES)
def test_a_profile_sets_the_guides_figures_and_nothing_else(profile: str) -> None:
    loaded = of({"swarm.profile": profile})

    swarm = loaded.settings.swarm
    nats = swarm.nats
    figures = (
        swarm.max_concurrent,
        nats.heartbeat_interval.total_seconds(),
        nats.node_timeout.total_seconds(),
        swarm.temporal.enabled,
    )
    assert figures == GUIDE_PROFILES[profile]
    assert {n for n, o in loaded.origins.items() if o.source == "profile"} == PROFILES[profile].keys()
    assert [n for n in KEYS if loaded.given(n)] == ["swarm.enabled", "swarm.profile"]


def test_the_large_profile_warns_that_temporal_has_no_address() -> None:
    (warning,) = of({"swarm.profile": "large"}).warnings
    assert warning.startswith("swarm.temporal.enabled (profile large) has no effect")


def test_a_figure_that_does_not_fit_its_profile_is_refused_with_both_names() -> None:
    with pytest.raises(ConfigError, match=r"node_timeout \(profile large\) is 15s.*environment PICOCLAW_"):
        of({"swarm.profile": "large"}, {"PICOCLAW_SWARM_NATS_HEARTBEAT_INTERVAL": "10s"})


def test_an_empty_environment_variable_counts_as_not_set() -> None:
    loaded = of({}, {"PICOCLAW_SWARM_HID": "", "PICOCLAW_SWARM_NATS_URLS": " "})
    assert loaded.settings == Settings()
    assert not loaded.given("swarm.hid")


def test_an_empty_temporal_address_in_the_environment_means_none(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("swarm: {temporal: {address: 'localhost:7233'}}", encoding="utf-8")
    loaded = load({}, {"PICOCLAW_SWARM_TEMPORAL_ADDRESS": ""}, file=path, home=tmp_path)
    assert loaded.settings.swarm.temporal.address == ""
    assert loaded.warnings == ()


def test_temporal_switched_off_does_not_warn() -> None:
    assert of({"swarm.temporal.address": "h:7233", "swarm.temporal.enabled": False}).warnings == ()


@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        ({"PICOCLAW_SWARM_NATS_URLS": "nats://far:4222"}, {"swarm.nats.embedded": True}),
        ({"PICOCLAW_SWARM_NATS_EMBEDDED": "true"}, {"swarm.nats.urls": "nats://far:4222"}),
        ({"PICOCLAW_SWARM_NATS_TOKEN": "hunter2"}, {"swarm.nats.credentials": "me:hunter2"}),
        ({"PICOCLAW_SWARM_NATS_CREDENTIALS": "/gone.creds"}, {"swarm.nats.embedded": True}),
        ({"PICOCLAW_SWARM_NATS_TLS_CA": "/gone.pem"}, {"swarm.nats.embedded": True}),
    ],
)
def test_a_stronger_source_takes_out_what_contradicts_it(
    loser: dict[str, str], winner: dict[str, object]
) -> None:
    loaded = of(winner, loser)
    (key,) = winner
    ((env, text),) = loser.items()
    assert loaded.given(key)
    assert [name for name in loaded.origins if loaded.origins[name].source == "environment"] == []
    (warning,) = loaded.warnings
    assert env in warning
    assert text == "true" or text not in warning


@pytest.mark.parametrize("url", ["nats://localhost:4222", "nats://127.0.0.1", "nats://[::1]:4222"])
def test_an_embedded_server_at_its_own_address_is_no_contradiction(url: str) -> None:
    assert of({"swarm.nats.embedded": True, "swarm.nats.urls": url}).settings.swarm.nats.embedded


def test_an_unknown_environment_name_warns_with_the_nearest_and_without_its_value() -> None:
    loaded = of({}, {"PICOCLAW_SWARM_ROEL": "hunter2", "PICOCLAW_X": "hunter2", "PATH": "/bin"})
    near, strange = loaded.warnings
    assert "PICOCLAW_SWARM_ROEL" in near
    assert "PICOCLAW_SWARM_ROLE" in near
    assert "PICOCLAW_X" in strange
    assert "hunter2" not in near + strange


def test_no_secret_shows_in_a_repr() -> None:
    loaded = of({"swarm.nats.token": "hunter2", "swarm.nats.urls": "nats://me:hunter2@host"})
    assert loaded.settings.swarm.nats.token == "hunter2"
    assert "hunter2" not in repr(loaded)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=20), max_size=4))
def test_whatever_the_flags_hold_it_loads_or_is_refused_with_its_key(flags: dict[str, str]) -> None:
    try:
        of(flags)
    except ConfigError as error:
        assert any(name in str(error) for name in flags)  # noqa: PT017 - both outcomes are fine


def test_a_working_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(ConfigError, match="was started is gone: `cd` to another one"):
        load({}, {}, file=None, home=tmp_path)
