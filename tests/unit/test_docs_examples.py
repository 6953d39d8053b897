"""docs/EXAMPLES.md: its settings load, its server files are right, its unit starts what it says."""

import configparser
import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from picoclaw.cli.flags import given_flags, plain_switches
from picoclaw.cli.root import picoclaw
from picoclaw.config.load import load
from picoclaw.swarm.embedded.binary import find_server
from picoclaw.tests.support.docs import DOCS, Block, blocks, document
from picoclaw.tests.support.tls import make_certificates
from picoclaw.tests.unit.test_config_reference import VALIDATOR
from picoclaw.tests.unit.test_docs_commands import commands

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

BLOCKS = blocks(document("EXAMPLES.md"))
SETTINGS = [block for block in BLOCKS if block.language == "yaml"]
SERVERS = [block for block in BLOCKS if block.text.startswith("# /etc/picoclaw/nats.conf")]
UNIT = next(block for block in BLOCKS if block.language == "ini")
SECRETS = {"ADA_PASSWORD": "hunter2", "RED_PASSWORD": "hunter3", "BLUE_PASSWORD": "hunter4"}


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """What stands in /etc/picoclaw beside the files that the document shows."""
    folder = tmp_path / "etc"
    folder.mkdir()
    made = make_certificates(folder)
    for ours, theirs in (("cert", "server.pem"), ("key", "server.key"), ("client_cert", "node.pem"), ("client_key", "node.key")):  # fmt: skip
        getattr(made, ours).rename(folder / theirs)
    (folder / "node.nk").touch()
    return folder


@pytest.mark.parametrize("block", SETTINGS, ids=lambda block: block.heading)
def test_each_file_of_settings_loads_without_a_warning(block: Block, etc: Path) -> None:
    (etc / "config.yaml").write_text(block.text, encoding="utf-8")

    loaded = load({}, {}, file=etc / "config.yaml", home=etc)

    assert loaded.warnings == ()
    assert VALIDATOR.is_valid(yaml.safe_load(block.text))


@pytest.mark.parametrize("block", SERVERS, ids=lambda block: block.heading)
def test_nats_server_takes_each_of_its_files(block: Block, etc: Path) -> None:
    text = block.text.replace("/etc/picoclaw", str(etc)).replace("/var/lib/nats", str(etc / "nats"))
    (etc / "nats.conf").write_text(text, encoding="utf-8")

    ran = subprocess.run(
        [str(find_server()), "-t", "-c", str(etc / "nats.conf")],
        env={**os.environ, **SECRETS},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


def test_the_unit_starts_a_node_of_each_role_and_outlasts_its_drain(etc: Path) -> None:
    # A key may stand several times in a unit, which configparser cannot keep.
    told = dict(re.findall(r"^Environment=(\w+)=(.+)$", UNIT.text, re.MULTILINE))
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.text)
    (etc / "config.yaml").write_text("swarm: {nats: {urls: ['nats://machine1:4222']}}", encoding="utf-8")
    program, *args = shlex.split(unit["Service"]["ExecStart"])

    assert Path(program).name == "picoclaw"
    assert args == ["--config", "/etc/picoclaw/config.yaml"]
    for role in ("coordinator", "worker", "specialist"):
        environ = {name: value.replace("%i", role) for name, value in told.items()}
        loaded = load({}, environ, file=etc / "config.yaml", home=etc)
        assert loaded.warnings == ()
        assert (loaded.settings.swarm.enabled, loaded.settings.swarm.role) == (True, role)
        patience = loaded.settings.swarm.drain_timeout.total_seconds()
        assert float(unit["Service"]["TimeoutStopSec"]) > patience


def test_the_flags_of_each_command_are_settings_that_load(etc: Path) -> None:
    """That they parse is tested for every document; here, that their values are right as well."""
    for _, args in commands(DOCS / "EXAMPLES.md"):
        try:
            with picoclaw.make_context("picoclaw", plain_switches(args)) as ctx:
                flags = {
                    name: value for name, value in given_flags(ctx).items() if not name.endswith(".path")
                }
        except click.exceptions.Exit:
            continue
        assert load(flags, {}, file=None, home=etc).warnings == (), args


def test_every_line_of_its_contents_leads_to_a_heading() -> None:
    text = document("EXAMPLES.md")
    headings = [re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in re.findall(r"^## (.+)$", text, re.MULTILINE)]  # fmt: skip
    assert re.findall(r"^- \[.+\]\(#(.+)\)$", text, re.MULTILINE) == headings
