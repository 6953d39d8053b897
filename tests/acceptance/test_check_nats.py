"""`picoclaw --swarm.check-nats` against real servers, each with something amiss: its line and its fix."""

import asyncio
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.nodes import QUICK, serving
from picoclaw.tests.support.swarm import lab_on
from picoclaw.tests.support.tls import make_certificates
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

QUICK_ENOUGH = 8.0
"""Seconds for the whole command: five of its own at most, and what a busy machine adds."""


class Checked:
    """What one run said, as rows by name."""

    def __init__(self, run: RunPicoclaw, *args: str) -> None:
        began = time.monotonic()
        ran = run("--swarm.check-nats", "--json", *args)
        self.seconds = time.monotonic() - began
        assert ran.stderr == "", ran.stderr
        self.text = ran.stdout
        said = json.loads(ran.stdout)
        assert said["exit_code"] == ran.returncode
        assert said["ok"] == (ran.returncode == 0)
        self.code = ran.returncode
        self.rows = said["checks"]
        assert all(row["fix"] for row in self.rows if row["status"] == "failed"), "each has its fix"
        assert self.seconds < QUICK_ENOUGH

    def row(self, name: str, status: str) -> str:
        """Detail and fix of the one row of that name and status."""
        found = [row for row in self.rows if (row["name"], row["status"]) == (name, status)]
        assert len(found) == 1, self.text
        return f"{found[0]['detail']} FIX {found[0]['fix']}"

    def well(self) -> set[str]:
        return {row["name"] for row in self.rows if row["status"] == "ok"}


class PlainServer(NatsServer):
    """A server that was not given -js."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._args.remove("-js")


class TlsFirstServer(NatsServer):
    """A server that never greets in the clear: it is ready once its port is known."""

    def _speaks(self) -> bool:
        return True


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def walled() -> Iterator[int]:
    """A port that drops whoever knocks, as a firewall does: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        knocking = [socket.socket() for _ in range(4)]
        for one in knocking:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in knocking:
            one.close()


@pytest.fixture
def web() -> Iterator[int]:
    """A web server."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def urls(*ports: int) -> tuple[str, str]:
    return "--swarm.nats.urls", ",".join(f"nats://127.0.0.1:{port}" for port in ports)


def test_no_server_at_all_ends_with_3_and_says_what_stands_there_instead(
    run_picoclaw: RunPicoclaw, silent: int, walled: int, web: int
) -> None:
    unknown = Checked(run_picoclaw, "--swarm.nats.urls", "nats://no-such-host.invalid:4222")
    closed = Checked(run_picoclaw, *urls(1))
    mute = Checked(run_picoclaw, *urls(silent))
    dropped = Checked(run_picoclaw, *urls(walled))
    page = Checked(run_picoclaw, *urls(web))

    assert [checked.code for checked in (unknown, closed, mute, dropped, page)] == [3] * 5
    assert f"a firewall may drop what is sent there FIX open port {walled}" in dropped.row(
        "connect", "failed"
    )
    assert "no-such-host.invalid: " in unknown.row("connect", "failed")
    assert "resolve" in unknown.row("connect", "failed")
    assert "port 1 of 127.0.0.1: connection refused FIX start the server" in closed.row("connect", "failed")
    assert "takes connections and says nothing FIX give the address" in mute.row("connect", "failed")
    assert "is a web server, not NATS" in page.row("connect", "failed")
    assert "from flag --swarm.nats.urls" in page.row("address", "ok")


def test_one_server_of_several_that_is_away_is_a_warning(
    run_picoclaw: RunPicoclaw, start_nats: StartNats
) -> None:
    checked = Checked(run_picoclaw, *urls(1, start_nats().port))

    assert checked.code == 0
    assert "connection refused" in checked.row("connect", "warning")
    assert "no swarm has ever run on this account FIX start one: picoclaw --swarm.role" in checked.row(
        "H-id", "warning"
    )


def test_credentials_are_wanted_refused_or_accepted_and_never_shown(
    run_picoclaw: RunPicoclaw, start_nats: StartNats
) -> None:
    server = start_nats(config='authorization { user: "ann", password: "s3cret" }')
    none = Checked(run_picoclaw, *urls(server.port))
    wrong = Checked(run_picoclaw, *urls(server.port), "--swarm.nats.credentials", "ann:wr0ng")
    right = Checked(run_picoclaw, "--swarm.nats.urls", server.url_as("ann", "s3cret"))

    assert (none.code, wrong.code, right.code) == (1, 1, 0)
    assert "none were given FIX give --swarm.nats.credentials" in none.row("auth", "failed")
    assert "refused these credentials FIX check --swarm.nats.credentials" in wrong.row("auth", "failed")
    assert right.row("auth", "ok").startswith("accepted")
    assert "wr0ng" not in wrong.text
    assert "s3cret" not in right.text


def test_tls_that_is_not_trusted_trusted_or_spoken_before_the_greeting(
    run_picoclaw: RunPicoclaw, start_nats: StartNats, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    server = start_nats(config=certificates.server_config())
    strange = Checked(run_picoclaw, *urls(server.port))
    trusted = Checked(run_picoclaw, *urls(server.port), "--swarm.nats.tls.ca", str(certificates.ca))

    assert (strange.code, trusted.code) == (1, 0)
    assert "is not trusted" in strange.row("TLS", "failed")
    assert "--swarm.nats.tls.ca" in strange.row("TLS", "failed")
    assert trusted.row("TLS", "ok").startswith("on: certificate for 127.0.0.1, localhost, ")


def test_a_server_that_speaks_tls_first_is_told_from_one_that_says_nothing(
    run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    config = certificates.server_config().replace("tls {", "tls { handshake_first: true,")
    server = TlsFirstServer(tmp_path, config=config)
    server.start()
    try:
        checked = Checked(run_picoclaw, *urls(server.port))
    finally:
        server.kill()

    assert checked.code == 3
    assert "speaks TLS before it greets" in checked.row("connect", "failed")
    assert "FIX take `handshake_first` out" in checked.row("connect", "failed")


def test_a_server_without_jetstream(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    server = PlainServer(tmp_path)
    server.start()
    try:
        checked = Checked(run_picoclaw, *urls(server.port))
    finally:
        server.kill()

    assert checked.code == 1
    assert "runs without JetStream FIX start it with `nats-server -js`" in checked.row("jetstream", "failed")
    assert {"connect", "server", "auth"} <= checked.well()


def test_an_account_without_jetstream_and_a_user_without_the_rights(
    run_picoclaw: RunPicoclaw, start_nats: StartNats
) -> None:
    rights = '{ user: "few", password: "s3cret", permissions: { publish: ["x"], subscribe: ["_INBOX.>"] } }'
    server = start_nats(
        config=f"""accounts {{
            A: {{ users: [{{ user: "ann", password: "s3cret" }}] }}
            B: {{ jetstream: enabled, users: [{rights}] }}
        }}"""
    )
    off = Checked(run_picoclaw, "--swarm.nats.urls", server.url_as("ann", "s3cret"))
    few = Checked(run_picoclaw, "--swarm.nats.urls", server.url_as("few", "s3cret"))

    assert (off.code, few.code) == (1, 1)
    assert "JetStream is off for this account" in off.row("jetstream", "failed")
    assert "FIX enable it there (`jetstream: enabled` in the account)" in off.row("jetstream", "failed")
    assert "does not let this user publish to $JS.API" in few.row("jetstream", "failed")
    assert "FIX grant it in the server's permissions" in few.row("jetstream", "failed")


def test_a_swarm_from_its_streams_to_its_waiting_tasks(
    run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw, start_nats: StartNats
) -> None:
    server = start_nats()
    where = urls(server.port)
    nodes = [
        serving(
            spawn_picoclaw("--swarm.role", role, "--swarm.name", name, "--swarm.hid", "blue", *QUICK, *where)
        )
        for role, name in (("coordinator", "claw-coord"), ("worker", "claw-work"))
    ]
    blue = Checked(run_picoclaw, "--swarm.hid", "blue", *where)
    wrong = Checked(run_picoclaw, "--swarm.hid", "green", *where)
    lines = run_picoclaw("--swarm.check-nats", "--swarm.hid", "blue", *where)

    assert (blue.code, wrong.code, lines.returncode) == (0, 1, 0)
    assert {row["status"] for row in blue.rows} == {"ok"}, blue.text
    assert blue.row("H-id", "ok").startswith("'blue' (from flag --swarm.hid)")
    assert "2 seen: 2 online" in blue.row("nodes", "ok")
    assert "1 alive: claw-coord" in blue.row("coordinators", "ok")
    assert "no swarm 'green'" in wrong.row("H-id", "failed")
    assert "there are blue FIX leave --swarm.hid out" in wrong.row("H-id", "failed")
    assert [line.split()[0] for line in lines.stdout.splitlines()] == ["ok"] * len(blue.rows)

    run_picoclaw("dispatch", "x", "--capability", "nosuch", "--detach", "--swarm.hid", "blue", *where)
    waits = wait_for(lambda: _lanes(run_picoclaw, where), 20)
    assert (
        "for nosuch, and no node serves it FIX picoclaw --swarm.role worker --swarm.capabilities nosuch"
        in waits
    )
    nodes[0].terminate()
    nodes[0].wait()
    nodes[1].expect("Coordinator role taken")
    led = wait_for(lambda: _led(run_picoclaw, where), 20)
    assert "1 alive: claw-work (promoted)" in led

    server.restart()
    nodes[1].kill9()
    server.restart()
    empty = Checked(run_picoclaw, "--swarm.hid", "blue", *where)
    assert "they live in the server's memory" in empty.row("streams", "warning")
    assert "none has been heard of" in empty.row("nodes", "warning")


def _lanes(run: RunPicoclaw, where: tuple[str, ...]) -> str:
    rows = Checked(run, "--swarm.hid", "blue", *where).rows
    return next(
        (f"{r['detail']} FIX {r['fix']}" for r in rows if (r["name"], r["status"]) == ("lanes", "warning")),
        "",
    )


def _led(run: RunPicoclaw, where: tuple[str, ...]) -> str:
    checked = Checked(run, "--swarm.hid", "blue", *where)
    assert checked.code == 0
    # Between the lease and the next heartbeat nobody is seen to lead.
    return next((r["detail"] for r in checked.rows if (r["name"], r["status"]) == ("coordinators", "ok")), "")


async def test_what_an_operator_changed_in_the_streams_is_told(
    run_picoclaw: RunPicoclaw, start_nats: StartNats, tmp_path: Path
) -> None:
    server = start_nats()
    async with lab_on(server.url, tmp_path, hid="blue", clean=False) as lab:
        await lab.node("coordinator", name="claw-coord")
        swarm = await lab.door()
        log = f"STREAM.INFO.{swarm.names.log}"
        config = (await swarm.wire.api(log))["config"]
        await swarm.wire.api(log.replace("INFO", "UPDATE"), config | {"discard": "old", "max_bytes": 1000})
        await swarm.wire.api(f"STREAM.DELETE.{swarm.names.dead_letters}")
        checked = await asyncio.to_thread(Checked, run_picoclaw, "--swarm.hid", "blue", *urls(server.port))

    assert checked.code == 1
    assert "missing: PICOCLAW_DLQ_blue" in checked.row("streams", "failed")
    assert "discard is 'old', not 'new'" in checked.row("streams", "warning")


def test_the_flag_goes_with_no_verb_and_not_with_the_dashboard(run_picoclaw: RunPicoclaw) -> None:
    for args in (("get", "nodes"), ("--swarm.dashboard",), ("--once",), ("--node", "x")):
        ran = run_picoclaw("--swarm.check-nats", *args)

        assert ran.returncode == 2, args
        assert ran.stderr.count("\n") == 1
