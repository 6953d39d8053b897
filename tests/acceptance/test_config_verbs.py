"""`picoclaw config`: what holds and where it came from, a file to begin with, every mistake at once."""

import json
import os
import stat
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from picoclaw.config.keys import KEYS
from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


def test_show_tells_each_value_and_its_source(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("swarm:\n  profile: medium\n  nats:\n    token: hunter2\n    node_timeout: 25s\n")
    env = {"PICOCLAW_SWARM_ROLE": "specialist", "PICOCLAW_SWARM_NATS_URLS": "nats://me:hunter2@host:1"}

    ran = run_picoclaw(
        "--config", str(file), "--swarm.hid", "before", "config", "show", "--origin", "--swarm.sid", "after", env=env
    )  # fmt: skip

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "hunter2" not in ran.stdout
    rows = [line.split(maxsplit=2) for line in ran.stdout.splitlines()]
    assert [row[0] for row in rows] == ["KEY", *KEYS]
    for row in (
        ["swarm.hid", "before", "flag --swarm.hid"],
        ["swarm.sid", "after", "flag --swarm.sid"],
        ["swarm.role", "specialist", "environment PICOCLAW_SWARM_ROLE"],
        ["swarm.nats.urls", "nats://***@host:1", "environment PICOCLAW_SWARM_NATS_URLS"],
        ["swarm.nats.token", "***", f"{file}:4"],
        ["swarm.nats.node_timeout", "25s", f"{file}:5"],
        ["swarm.nats.heartbeat_interval", "5s", "profile medium"],
        ["swarm.max_concurrent", "10", "profile medium"],
        ["swarm.nats.replicas", "1", "default"],
    ):
        assert row in rows
    assert "~/.picoclaw/capabilities (default)" in ran.stdout


def test_show_takes_keys_and_sections_and_prints_json(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("config", "show", "log", "swarm.max-concurrent", "--swarm.profile", "large", "--json")

    assert json.loads(ran.stdout) == [
        {"key": "swarm.max_concurrent", "value": 20, "source": "profile", "origin": "profile large"},
        {"key": "log.level", "value": "info", "source": "default", "origin": "default"},
        {"key": "log.format", "value": "auto", "source": "default", "origin": "default"},
    ]
    wrong = run_picoclaw("config", "show", "swarm.rol")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "picoclaw: error: no setting is called 'swarm.rol'; did you mean 'swarm.role'?\n"


def test_init_writes_a_file_that_is_right_and_never_replaces_one_unasked(
    run_picoclaw: RunPicoclaw, home: Path
) -> None:
    written = run_picoclaw("config", "init", "--profile", "small")
    file = home / ".picoclaw" / "config.yaml"

    assert (written.returncode, written.stderr) == (0, "")
    assert str(file) in written.stdout
    assert [stat.S_IMODE(place.stat().st_mode) for place in (file, file.parent)] == [0o600, 0o700]
    assert run_picoclaw("config", "path").stdout == f"{file}\n"
    checked = run_picoclaw("config", "validate")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, f"{file}: ok\n", "")
    assert "small" in run_picoclaw("config", "show", "swarm.profile", "--origin").stdout

    file.write_text("swarm: {role: specialist}")
    again = run_picoclaw("config", "init")
    assert again.returncode == 2
    assert again.stderr.endswith("is there already: nothing is written; --force replaces it\n")
    assert file.read_text() == "swarm: {role: specialist}"
    assert run_picoclaw("config", "init", "--force", "--json").returncode == 0
    assert run_picoclaw("config", "init", "--file", "-").stdout == file.read_text()


def test_validate_tells_every_mistake_of_every_file(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    (good := tmp_path / "good.yaml").write_text("\ufeffswarm:\r\n  role: worker\r\n", encoding="utf-8")
    (bad := tmp_path / "bad.yaml").write_text(
        "swarm:\n  rol: worker\n  max_concurrent: 0\n  nats: {replicas: 2, token: hunter2, credentials: a:hunter2}\n"
    )

    ran = run_picoclaw("config", "validate", str(good), str(bad), "--json")

    assert ran.returncode == 2
    assert "hunter2" not in ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert (told["valid"], [one["valid"] for one in told["files"]]) == (False, [True, False])
    problems = told["files"][1]["problems"]
    assert len(problems) == 4
    for line, part in zip((2, 3, 4, 4), ("did you mean 'swarm.role'", "0 is out of range", "contradict", "2 copies"), strict=True):  # fmt: skip
        assert any(part in problem and f"{bad}:{line}" in problem for problem in problems)
    in_words = run_picoclaw("config", "validate", str(good), str(bad))
    assert in_words.stdout.splitlines()[:2] == [f"{good}: ok", f"{bad}: 4 problems"]


def test_what_is_no_file_of_settings_is_told_at_once(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "tabs").write_text("swarm:\n\trole: worker\n")
    (tmp_path / "large").write_text("# x\n" * 2_500_000)
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "text").write_text("Dear diary,\nswarm: nothing: at all\n")
    expected = {
        "pipe": "it is a pipe, device or the like",
        "link": f"is a link to {tmp_path}/gone, which is not there",
        "tabs": "indent with spaces",
        "large": "is over 1 MiB",
        "binary": "is not UTF-8 text",
        "text": "is not valid YAML",
        ".": "is a folder",
        "none": "is not there",
        "/dev/zero": "it is a pipe, device or the like",
    }

    ran = run_picoclaw("config", "validate", *(str(tmp_path / name) for name in expected), "--json")

    assert (ran.returncode, ran.stderr) == (2, "")
    told = [one["problems"] for one in json.loads(ran.stdout)["files"]]
    for (name, part), problems in zip(expected.items(), told, strict=True):
        assert len(problems) == 1, name
        assert part in problems[0]
    # A node and a verb refuse the same in the same words.
    for args in (("--swarm.role", "worker"), ("get", "nodes"), ("config", "show")):
        started = run_picoclaw("--config", str(tmp_path / "pipe"), *args, timeout=10)
        assert started.returncode == 2
        assert started.stderr == f"picoclaw: error: {told[0][0]}\n"


def test_the_schema_is_printed_whole(run_picoclaw: RunPicoclaw) -> None:
    schema = json.loads(run_picoclaw("config", "schema").stdout)

    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid({"swarm": {"nats": {"heartbeat_interval": "10s"}}})
    assert not Draft202012Validator(schema).is_valid({"swarm": {"nats": {"heartbeat_interval": 10}}})


def test_a_node_runs_with_the_figures_of_its_profile_but_for_what_was_said(
    run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw, nats_server: NatsServer
) -> None:
    way = {"PICOCLAW_SWARM_HID": "profiles", "PICOCLAW_SWARM_NATS_URLS": nats_server.url}
    nodes = [
        spawn_picoclaw("--swarm.profile", "large", "--swarm.name", "all", env=way),
        spawn_picoclaw("--swarm.profile", "large", "--swarm.max_concurrent", "3", "--swarm.name", "said", env=way),
    ]  # fmt: skip
    for node in nodes:
        node.expect(r"swarm\.temporal\.enabled \(profile large\) has no effect")
        serving(node)

    listed = json.loads(run_picoclaw("get", "nodes", "--json", env=way).stdout)

    assert {row["name"]: row["slots"] for row in listed} == {"all": 20, "said": 3}
