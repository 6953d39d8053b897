"""What explains the settings: the manual, the commented file and the JSON Schema agree with the loader."""

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from picoclaw.config.commented import commented_file
from picoclaw.config.keys import KEYS, Key
from picoclaw.config.load import load, value_of
from picoclaw.config.manual import EXAMPLES, MEANING, default_of, in_yaml
from picoclaw.config.masked import masked
from picoclaw.config.profiles import MEANT_FOR, PROFILES
from picoclaw.config.schema import json_schema
from picoclaw.config.settings import Settings
from picoclaw.config.values import parse_value
from picoclaw.config.write import write_private
from picoclaw.errors import ConfigError
from picoclaw.tests.support.docs import blocks, document
from picoclaw.tests.unit.test_config_file import GUIDE, TUNING
from picoclaw.tests.unit.test_config_load import Given, folder, nested, same_folder, values_of

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

__all__ = ["folder"]

VALIDATOR = Draft202012Validator(json_schema())
SWITCHED_OFF = re.compile(r"^( *)#(?=[a-z_]+: )", re.MULTILINE)


def valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yaml.safe_load(text)))


def test_every_key_is_explained_with_an_example_that_is_not_its_default() -> None:
    assert MEANING.keys() == EXAMPLES.keys() == KEYS.keys()
    assert MEANT_FOR.keys() == PROFILES.keys() == set(KEYS["swarm.profile"].choices)
    assert [name for name, key in KEYS.items() if EXAMPLES[name] == default_of(key)] == []


@pytest.mark.parametrize("key", [key for key in KEYS.values() if default_of(key) is not None])
def test_the_default_that_is_written_is_that_of_the_settings(key: Key) -> None:
    raw = default_of(key)
    assert raw is not None
    assert parse_value(key, raw) == value_of(Settings(), key.name)


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_the_commented_file_loads_and_sets_nothing_but_its_profile(
    profile: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "config.yaml"
    write_private(path, commented_file(profile))

    loaded = load({}, {}, file=path, home=tmp_path)

    assert loaded.settings.swarm.profile == profile
    assert [name for name in KEYS if loaded.given(name)] == (["swarm.profile"] if profile else [])
    # The guide's large profile wants Temporal, which only an address makes possible.
    assert len(loaded.warnings) == (1 if profile == "large" else 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_commented_file_shows_every_key_once() -> None:
    names = [found.group(2) for found in re.finditer(r"^( *)#([a-z_]+): ", commented_file(), re.MULTILINE)]
    assert sorted(names) == sorted(name.rpartition(".")[2] for name in KEYS)


@same_folder
@given(st.sets(st.sampled_from(sorted(KEYS))))
def test_what_is_switched_on_in_the_commented_file_is_what_it_says(chosen: set[str]) -> None:
    """The names of a file stand for themselves here: whether they are there is the loader's business."""
    text, seen = commented_file(), iter(_in_file_order())

    def switch(match: re.Match[str]) -> str:
        return match.group(1) if next(seen) in chosen else match.group()

    told = _flat(yaml.load(SWITCHED_OFF.sub(switch, text), yaml.BaseLoader))

    assert told.keys() == chosen
    for name in chosen:
        key = KEYS[name]
        raw = default_of(key)
        expected = EXAMPLES[name] if raw is None else raw
        assert told[name] == yaml.load(in_yaml(expected), yaml.BaseLoader)
        assert parse_value(key, tuple(told[name]) if isinstance(told[name], list) else told[name]) is not None  # type: ignore[arg-type]


def _in_file_order() -> list[str]:
    def under(prefix: str) -> list[str]:
        names = [name for name in KEYS if name.startswith(prefix)]
        leaves = [name for name in names if "." not in name.removeprefix(prefix)]
        sections = dict.fromkeys(
            name.removeprefix(prefix).partition(".")[0] for name in names if name not in leaves
        )
        return leaves + [name for section in sections for name in under(f"{prefix}{section}.")]

    return under("")


def _flat(tree: object, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items() if isinstance(tree, dict) else ():
        if prefix + name in KEYS:
            flat[prefix + name] = value
        else:
            flat |= _flat(value, f"{prefix}{name}.")
    return flat


def test_a_file_that_is_there_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    path, link = tmp_path / "config.yaml", tmp_path / "link.yaml"
    path.write_text("mine", encoding="utf-8")
    link.symlink_to(path)
    for place in (path, link, tmp_path):
        with pytest.raises(ConfigError, match="there already: nothing is written; --force"):
            write_private(place, "theirs")
    assert path.read_text(encoding="utf-8") == "mine"
    with pytest.raises(ConfigError, match="no plain file"):
        write_private(tmp_path, "theirs", replace=True)

    write_private(link, "theirs", replace=True)

    assert path.read_text(encoding="utf-8") == "theirs"
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "home", link]


@pytest.mark.parametrize("there", ["file", "loop"])
def test_a_place_that_cannot_be_written_is_refused_in_words(there: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match=str(tmp_path)):
        write_private(tmp_path / there / "config.yaml", "text", replace=True)


def test_a_folder_without_the_right_to_write_is_refused(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    with pytest.raises(ConfigError, match="Permission denied"):
        write_private(unprivileged / "config.yaml", "text")


def test_each_profile_has_the_figures_of_the_guides_file(tmp_path: Path) -> None:
    for size in PROFILES:
        (text,) = [
            block.text
            for block in blocks(document("guide.md"))
            if block.heading.lower().startswith(f"{size} swarm") and block.language == "yaml"
        ]
        (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
        by_file = load({}, {}, file=tmp_path / "c.yaml", home=tmp_path)
        by_profile = load({}, {"PICOCLAW_SWARM_PROFILE": size}, file=None, home=tmp_path)
        same = replace(by_profile.settings.swarm, profile=None)
        assert same == by_file.settings.swarm
        assert {name for name in KEYS if by_file.given(name)} == PROFILES[size].keys()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_every_yaml_of_settings_in_the_guide_passes_the_schema() -> None:
    found = [b.text for b in blocks(document("guide.md")) if b.language == "yaml" and "swarm:" in b.text]
    assert len(found) >= 4
    assert [text for text in [*found, GUIDE, TUNING] if not valid(text)] == []


@pytest.mark.parametrize(
    "text",
    ["", "swarm:", "swarm: {hid: 007}", "swarm: {enabled: 'Yes'}", "swarm: {nats: {urls: 'nats://a,nats://b'}}",
     "swarm: {labels: {zone: 3}}", "swarm: {labels: 'a=b'}", "swarm: {max_concurrent: '${N:-7}'}",
     "swarm: {nats: {urls: ['nats://${HOST}:1']}}", "swarm: {nats: {ack_wait: 1m30s}}"],
)  # fmt: skip
def test_what_the_loader_takes_passes_the_schema(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    load({}, {"HOST": "h"}, file=tmp_path / "c.yaml", home=tmp_path)
    assert valid(text)


@pytest.mark.parametrize(
    "text",
    ["[]", "swarm: on", "swarm: {rol: worker}", "swarm: {role: boss}", "swarm: {max_concurrent: 0}",
     "swarm: {max_concurrent: many}", "swarm: {nats: {heartbeat_interval: 10}}",
     "swarm: {nats: {heartbeat_interval: 10 s}}", "swarm: {nats: {urls: []}}",
     "swarm: {nats: {urls: ['localhost:4222']}}", "swarm: {nats: {replicas: 2}}",
     "swarm: {enabled: maybe}", "swarm: {profile: huge}", "swarm: {labels: zone}", "log: {level: loud}",
     "swarm: {name: [a]}", "swarm: {capabilities: {a: b}}", "nats: {urls: 'nats://a'}"],
)  # fmt: skip
def test_what_the_loader_refuses_fails_the_schema(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load({}, {}, file=tmp_path / "c.yaml", home=tmp_path)
    assert not valid(text)


@same_folder
@given(data=st.data())
def test_any_value_that_the_loader_takes_passes_the_schema(data: st.DataObject, folder: Path) -> None:
    name = data.draw(st.sampled_from(sorted(KEYS)))
    value = data.draw(values_of(KEYS[name], folder))
    tree = yaml.safe_load(yaml.safe_dump(nested({name: value})))
    assert [error.message for error in VALIDATOR.iter_errors(tree)] == []


@same_folder
@given(data=st.data())
def test_no_secret_is_ever_shown(data: st.DataObject, folder: Path) -> None:
    secret = data.draw(st.from_regex(r"hunter[a-z0-9]{4,12}", fullmatch=True))
    given_: Mapping[str, object] = data.draw(
        st.sampled_from(
            [
                {"swarm.nats.token": secret},
                {"swarm.nats.credentials": secret},
                {"swarm.nats.credentials": f"me:{secret}"},
                {"swarm.nats.urls": (f"nats://me:{secret}@host:4222", f"nats://{secret}@host")},
                {"swarm.temporal.address": f"{secret}@host:7233"},
            ]
        )
    )
    loaded = Given({}, {}, dict(given_)).load(folder)
    shown = {name: masked(key, value_of(loaded.settings, name)) for name, key in KEYS.items()}
    assert secret not in json.dumps(shown)
    assert "***" in json.dumps(shown)


def test_every_mistake_of_every_source_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "swarm:\n  rol: worker\n  max_concurrent: 0\n  role: ${NOT_SET}\n"
        "  nats: {replicas: 2, tls: {ca: gone.pem, key: gone.key}}\nlog: [loud]\n",
        encoding="utf-8",
    )
    heard: list[ConfigError] = []

    loaded = load(
        {"swarm.hid": "", "no.such": 1},
        {"PICOCLAW_LOG_FORMAT": "pretty"},
        file=path,
        home=tmp_path,
        refuse=heard.append,
    )

    told = "\n".join(map(str, heard))
    for part in ("swarm.rol", f"{path}:3", "${NOT_SET}", "2 copies", "tls.ca", "tls.key",
                 "log in", "flag --swarm.hid", "unknown flag 'no.such'", "PICOCLAW_LOG_FORMAT"):  # fmt: skip
        assert part in told
    assert len(heard) == 10
    assert loaded.settings.swarm.max_concurrent == 5
