"""The YAML file: scalars as written, variables expanded, nothing surprising."""

from pathlib import Path

import pytest
import yaml

from picoclaw.config.file import expand, read_file
from picoclaw.config.load import load
from picoclaw.config.plain_yaml import syntax_problem
from picoclaw.errors import ConfigError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

GUIDE = """\
# ~/.picoclaw/config.yaml
swarm:
  enabled: true
  role: coordinator
  capabilities: ["coordination", "scheduling"]
  max_concurrent: 10

  nats:
    urls:
      - nats://localhost:4222
    embedded: false
    heartbeat_interval: 10s
    node_timeout: 60s

  temporal:
    address: localhost:7233
    task_queue: picoclaw-swarm
"""

TUNING = """\
swarm:
  max_concurrent: 20
  nats:
    heartbeat_interval: 3s
    node_timeout: 15s
  temporal:
    enabled: true  # Required for workflow persistence
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_guides_file_is_read_as_it_stands(tmp_path: Path) -> None:
    loaded = load({}, {}, file=write(tmp_path, GUIDE), home=tmp_path)

    swarm = loaded.settings.swarm
    assert (swarm.enabled, swarm.role, swarm.max_concurrent) == (True, "coordinator", 10)
    assert swarm.capabilities == ("coordination", "scheduling")
    assert swarm.nats.urls == ("nats://localhost:4222",)
    assert swarm.temporal.address == "localhost:7233"
    assert loaded.warnings == ("Temporal connection failed (workflows disabled)",)
    assert str(loaded.origins["swarm.role"]) == f"{tmp_path}/config.yaml:4"


def test_the_guides_tuning_is_read_and_temporal_without_an_address_only_warns(tmp_path: Path) -> None:
    loaded = load({}, {}, file=write(tmp_path, TUNING), home=tmp_path)

    assert loaded.settings.swarm.nats.node_timeout.total_seconds() == 15
    (warning,) = loaded.warnings
    assert "swarm.temporal.address" in warning


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hid: 007", "007"),
        ("hid: no", "no"),
        ("hid: 1:30", "1:30"),
        ("hid: 2026-01-01", "2026-01-01"),
        ("hid: 1_000", "1_000"),
        ("hid: 'two words'", "two words"),
        ("hid: ${NAME}", "ada"),
        ("hid: '${NAME}.${NAME}'", "ada.ada"),
        ("hid: ${UNSET:-fallback}", "fallback"),
        ("hid: ${EMPTY:-fallback}", "fallback"),
        ("hid: ${TRICKY}", "${NAME}"),
        ("hid: $${NAME}", "${NAME}"),
        ("hid: a$b", "a$b"),
    ],
)
def test_a_scalar_is_taken_as_it_is_written(line: str, expected: str, tmp_path: Path) -> None:
    environ = {"NAME": "ada", "EMPTY": "", "TRICKY": "${NAME}"}
    (value,) = read_file(write(tmp_path, f"swarm:\n  {line}\n"), environ)
    assert value.raw == expected
    assert value.line == 2


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "swarm:\n", "swarm: {}\n", "swarm:\n  hid:\n", "swarm:\n  hid: ~\n"]
)
def test_an_empty_file_section_or_value_sets_nothing(text: str, tmp_path: Path) -> None:
    assert read_file(write(tmp_path, text), {}) == ()


def test_variables_stand_in_lists_and_numbers_too(tmp_path: Path) -> None:
    text = "swarm:\n  max_concurrent: ${N:-7}\n  nats:\n    urls: ['nats://${HOST}:1', 'nats://b:2']\n"
    settings = load({}, {"HOST": "a"}, file=write(tmp_path, text), home=tmp_path).settings
    assert settings.swarm.max_concurrent == 7
    assert settings.swarm.nats.urls == ("nats://a:1", "nats://b:2")


@pytest.mark.parametrize("text", ["${A", "${}", "${A B}", "${A-b}", "${1}"])
def test_a_broken_reference_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\$\{NAME\}"):
        expand(text, {"A": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "swarm: {nats: {token: *hunter2}}",
        "swarm: {nats: {token: !hunter2 x}}",
        "swarm: {nats: {token: !x!hunter2 x}}",
        "swarm: {nats: {token: [hunter2]}}",
        "swarm: {nats: {token: {hunter2: hunter2}}}",
        "swarm: {nats: {token: 'hunter2",
        "swarm: {nats: {token: @hunter2}}",
        "swarm: {nats: {credentials: ./hunter2}}",
        "swarm: {nats: {urls: ['x://hunter2@h']}}",
        'swarm: {nats: {token: "hunter2\\nx"}}',
    ],
)
def test_no_message_about_a_file_shows_a_secret(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load({}, {}, file=write(tmp_path, text), home=tmp_path)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["token: *hunter2", "token: !x!hunter2 y", "token: 'hunter2", "&hunter2 a: &hunter2 b"]
)
def test_a_syntax_error_of_the_slower_loader_shows_no_secret_either(text: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as error:
        yaml.compose(text, yaml.SafeLoader)
    said = syntax_problem(error.value)
    assert said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "&a swarm: *a", "swarm: &a {nats: *a}", "swarm: {<<: {hid: x}}"]
)
def test_anchors_and_merges_end_in_words(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load({}, {}, file=write(tmp_path, text), home=tmp_path)


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    (tmp_path / "nats.creds").touch()
    path = write(tmp_path, "swarm: {nats: {credentials: nats.creds, tls: {ca: ca.pem}}}")
    nats = load({}, {}, file=path, home=tmp_path / "elsewhere").settings.swarm.nats
    assert nats.tls.ca == tmp_path / "ca.pem"
    assert nats.credentials == str(tmp_path / "nats.creds")


def test_the_file_of_the_home_is_read_when_it_is_there(tmp_path: Path) -> None:
    assert load({}, {}, file=None, home=tmp_path).settings.swarm.role == "worker"
    (tmp_path / ".picoclaw").mkdir()
    write(tmp_path / ".picoclaw", "swarm: {role: specialist}")
    assert load({}, {}, file=None, home=tmp_path).settings.swarm.role == "specialist"


def test_a_link_to_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".picoclaw").mkdir()
    (tmp_path / ".picoclaw" / "config.yaml").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="not there"):
        load({}, {}, file=None, home=tmp_path)
