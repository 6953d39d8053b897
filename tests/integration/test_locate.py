"""Every verb finds its swarm: flag, environment, YAML, the run directory's record, the default."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from picoclaw.config.load import Loaded, load
from picoclaw.config.settings import NatsSettings
from picoclaw.swarm.embedded.record import ServerRecord, write_record
from picoclaw.swarm.embedded.rundir import make_private_dir
from picoclaw.swarm.locate import locate, same_server, with_record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]


@pytest.fixture
def record(home: Path) -> Iterator[ServerRecord]:
    """The record of a process that passes for a shared server."""
    store = home / ".picoclaw" / "nats"
    run = make_private_dir(home / ".picoclaw" / "run")
    sleep = shutil.which("sleep")
    assert sleep
    argv = ["nats-server", "30", "-c", str(store / "server.conf")]
    # sleep refuses the further words, so a shell holds them and waits for its input instead.
    with subprocess.Popen(["/bin/sh", "-c", "read x", *argv], stdin=subprocess.PIPE) as process:
        record = ServerRecord(
            pid=process.pid, port=4333, url="nats://127.0.0.1:4333", user="u", password="p", store=str(store),
            name="n", version="2.15.1", started="2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        write_record(run / "server.json", record)
        yield record
        process.kill()


def told(home: Path, environ: dict[str, str] | None = None, **flags: object) -> Loaded:
    given = {f"swarm.nats.{name}": value for name, value in flags.items()}
    return load(given, environ or {}, file=None, home=home)


def test_the_default_is_named_as_such(home: Path) -> None:
    found = locate(told(home))

    assert found.nats.urls == ("nats://localhost:4222",)
    assert found.source.startswith("the default address; no shared server is running by")
    assert str(home) in found.source


def test_the_record_wins_over_the_default(home: Path, record: ServerRecord) -> None:
    found = locate(told(home))

    assert found.nats.urls == (record.url,)
    assert found.nats.credentials == "u:p"
    assert found.source == f"the shared server of {home}/.picoclaw/run/server.json"


def test_a_flag_wins_over_the_record(home: Path, record: ServerRecord) -> None:
    found = locate(told(home, urls="nats://elsewhere:4222"))

    assert found.nats.urls == ("nats://elsewhere:4222",)
    assert found.nats.credentials is None
    assert found.source == "from flag --swarm.nats.urls"


def test_the_environment_wins_over_the_record(home: Path, record: ServerRecord) -> None:
    found = locate(told(home, {"PICOCLAW_SWARM_NATS_URLS": "nats://elsewhere:4222"}))

    assert found.nats.urls == ("nats://elsewhere:4222",)
    assert found.source == "from environment PICOCLAW_SWARM_NATS_URLS"


def test_the_file_wins_over_the_record(home: Path, record: ServerRecord) -> None:
    file = home / ".picoclaw" / "config.yaml"
    file.write_text("swarm:\n  nats:\n    urls: [nats://elsewhere:4222]\n")

    found = locate(told(home))

    assert found.nats.urls == ("nats://elsewhere:4222",)
    assert found.source == f"from {file}:3"


def test_embedded_means_the_record(home: Path, record: ServerRecord) -> None:
    assert locate(told(home, embedded=True)).nats.urls == (record.url,)


def test_a_record_whose_server_is_gone_counts_as_none(home: Path, record: ServerRecord) -> None:
    os.kill(record.pid, 9)
    os.waitpid(record.pid, 0)

    assert locate(told(home)).nats.urls == ("nats://localhost:4222",)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_the_records_address_under_any_name_takes_its_credentials(
    home: Path, record: ServerRecord, host: str
) -> None:
    found = locate(told(home, urls=f"nats://{host}:{record.port}"))

    assert found.nats.credentials == "u:p"
    assert found.nats.urls == (record.url,)


@pytest.mark.parametrize(
    "url",
    [
        "nats://localhost:4222",
        "nats://me:secret@localhost:4333",
        "tls://localhost:4333",
        "nats://192.0.2.1:4333",
    ],
)
def test_another_address_takes_no_credentials(record: ServerRecord, url: str) -> None:
    assert not same_server(url, record)
    assert with_record(NatsSettings(urls=(url,)), record).credentials is None


def test_credentials_that_were_given_are_kept(record: ServerRecord) -> None:
    nats = NatsSettings(urls=(record.url,), credentials="mine:own")

    assert with_record(nats, record) == nats
    assert with_record(replace(nats, credentials=None, token="t"), record).credentials is None


def test_of_several_addresses_one_elsewhere_gets_no_credentials(record: ServerRecord) -> None:
    nats = NatsSettings(urls=(record.url, "nats://elsewhere:4222"))

    assert with_record(nats, record).credentials is None
