"""One rule per kind of setting: durations, lists, labels, addresses, credentials."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picoclaw.config.credentials import credentials_form, resolve_credentials
from picoclaw.config.durations import format_duration, parse_duration
from picoclaw.config.keys import KEYS
from picoclaw.config.urls import check_url, redact_url
from picoclaw.config.values import alias_notes, parse_value, to_raw
from picoclaw.errors import ConfigError, NameRefused

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

SEED = "SU" + "A" * 56


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1m30s", 90),
        ("500ms", 0.5),
        ("3d", 259_200),
        ("1d12h", 129_600),
        ("2h", 7200),
        ("1.5h", 5400),
        ("1h2m3s4ms", 3723.004),
        (" 5s ", 5),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "s",
        "10 s",
        "1s1m",
        "1s1s",
        "-1s",
        "+1s",
        "1e3s",
        "10S",
        "1w",
        "1h1d",
        "٣s",
        "1" * 5000 + "s",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="durations look like"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=365)))
def test_a_formatted_duration_reads_back_to_the_millisecond(value: timedelta) -> None:
    value = timedelta(milliseconds=value // timedelta(milliseconds=1))
    assert parse_duration(format_duration(value)) == value


@pytest.mark.parametrize(
    ("raw", "capabilities"),
    [
        ("code,research", ("code", "research")),
        (" Code , code-review,quality ", ("code",)),
        ("c++,C#,node.js", ("cpp", "csharp", "nodejs")),
        (("rust", "embedded"), ("rust", "embedded")),
    ],
)
def test_capabilities_are_canonical_in_order_and_once(raw: str, capabilities: tuple[str, ...]) -> None:
    assert parse_value(KEYS["swarm.capabilities"], raw) == capabilities


def test_an_entry_of_a_yaml_list_is_not_split_again() -> None:
    with pytest.raises(NameRefused, match="'a,b'"):
        parse_value(KEYS["swarm.capabilities"], ("a,b",))


def test_labels_are_read_from_text_list_and_mapping() -> None:
    key = KEYS["swarm.labels"]
    expected = {"region": "us", "gpu": "a 100"}
    assert parse_value(key, "region=us, gpu=a 100") == expected
    assert parse_value(key, ("region=us", "gpu=a 100")) == expected
    assert parse_value(key, {"region": "us", "gpu": "a 100"}) == expected


@pytest.mark.parametrize("word", ["true", "Yes", "ON", "1"])
def test_words_for_yes(word: str) -> None:
    assert parse_value(KEYS["swarm.enabled"], word) is True


@pytest.mark.parametrize("word", ["false", "No", "off", "0"])
def test_words_for_no(word: str) -> None:
    assert parse_value(KEYS["swarm.enabled"], word) is False


def test_the_guides_empty_temporal_address_means_none() -> None:
    assert parse_value(KEYS["swarm.temporal.address"], "") == ""


@pytest.mark.parametrize(
    "url", ["nats://localhost", "tls://h:4222", "ws://h/path", "nats://[::1]:4222", "nats://u:p@h:1"]
)
def test_addresses_are_taken_as_they_are(url: str) -> None:
    assert check_url(f" {url} ") == url


@pytest.mark.parametrize(
    "url", ["nats://u:hunter2@[bad", "hunter2@h", "x://u:hunter2@h", "nats://hunter2@:1"]
)
def test_a_refused_address_never_shows_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_url(url)
    assert "hunter2" not in str(refused.value)


def test_an_address_is_shown_without_its_credentials() -> None:
    assert redact_url("nats://user:p@ss@host:4222") == "nats://***@host:4222"
    assert redact_url("nats://host:4222") == "nats://host:4222"
    assert redact_url("tls://[::1]:4222") == "tls://[::1]:4222"
    assert redact_url("https://host/x.git:y") == "https://host/x.git:y"


@pytest.mark.parametrize(
    "url", ["nats://u:hunt,er2@host", "u:hunt,er2@host", "nats://host,nats://u:hunt,er2@h"]
)
def test_a_comma_in_a_password_shows_no_part_of_it(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_value(KEYS["swarm.nats.urls"], url)
    assert "hunt" not in str(refused.value)
    assert "***" in str(refused.value)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (SEED, "seed"),
        ("user:password", "user_password"),
        ("user:pa/ss", "user_password"),
        ("s3cr3t-token", "token"),
    ],
)
def test_credentials_that_are_no_file_are_taken_as_they_are(value: str, form: str, tmp_path: Path) -> None:
    assert resolve_credentials(value, tmp_path, tmp_path) == value
    assert credentials_form(value) == form


@pytest.mark.parametrize("value", ["~/nats.creds", "nats.creds", "./nats.creds", "plain", "sub/plain"])
def test_a_credentials_file_becomes_an_absolute_path(value: str, tmp_path: Path) -> None:
    for name in ("nats.creds", "plain", "sub/plain"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    resolved = resolve_credentials(value, tmp_path, tmp_path)
    assert Path(resolved).is_file()
    assert credentials_form(resolved) == "file"


@pytest.mark.parametrize("value", ["/hunter2", "~/hunter2", "hunter2.creds", "some/hunter2", "/hunter2\0"])
def test_a_missing_credentials_file_is_refused_and_its_text_not_shown(value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve_credentials(value, tmp_path, tmp_path)
    assert "hunter2" not in str(refused.value)


def test_a_token_too_long_for_a_file_name_is_a_token(tmp_path: Path) -> None:
    assert resolve_credentials("x" * 5000, tmp_path, tmp_path) == "x" * 5000


@example("0\x1f")
@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    for key in KEYS.values():
        try:
            parse_value(key, text)
        except (ConfigError, NameRefused) as error:
            assert len(str(error)) < 1000  # noqa: PT017 - both outcomes are fine
            if key.secret and len(text.strip()) > 30:
                assert text.strip() not in str(error)  # noqa: PT017


def test_typed_values_become_the_text_that_a_person_would_write() -> None:
    assert to_raw(True) == "true"
    assert to_raw(5) == "5"
    assert to_raw(timedelta(seconds=90)) == "1m30s"
    assert to_raw(["a", "b"]) == ("a", "b")
    assert to_raw({"gpu": 1}) == {"gpu": "1"}
    assert to_raw(Path("/x")) == "/x"


def test_a_capability_by_another_name_is_said() -> None:
    assert alias_notes("security, Audit,golang") == (
        "capability audit is another name for security",
        "capability golang is another name for go",
    )
    assert alias_notes(("code", "docs")) == ()
