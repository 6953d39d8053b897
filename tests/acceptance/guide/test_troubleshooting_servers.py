"""Symptoms of docs/troubleshooting.md that come from a server: brought about, and the remedy tried."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.quoted import says

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

OLD = b'INFO {"server_id":"X","version":"2.9.25","max_payload":1048576,"headers":true}\r\n'
EMBEDDED = ("--swarm.role", "worker", "--swarm.nats.embedded")


@contextmanager
def old_server() -> Iterator[int]:
    """Something that greets as a server of years ago; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed: the block is over
                    return
                with connection, connection.makefile("rb") as lines:
                    connection.sendall(OLD)
                    for line in lines:
                        if line.startswith(b"PING"):
                            connection.sendall(b"PONG\r\n")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_server_that_is_too_old_and_then_a_current_one_at_its_address(
    run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw, start_nats: StartNats
) -> None:
    with old_server() as port:
        node = ("--swarm.role", "worker", "--swarm.nats.urls", f"nats://127.0.0.1:{port}")
        refused = run_picoclaw(*node)
    assert refused.returncode == 3
    assert says(refused.stderr, "The server is too old")

    start_nats(port=port)

    serving(spawn_picoclaw(*node))


@pytest.mark.long
def test_a_server_of_a_cluster_without_its_fellows_and_with_them(
    spawn_picoclaw: SpawnPicoclaw, start_nats: StartNats
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        routes = [held.getsockname()[1] for held in (one, two)]

    def server(number: int) -> str:
        known = ", ".join(f"nats://127.0.0.1:{port}" for port in routes)
        cluster = f"name: test, listen: 127.0.0.1:{routes[number]}, routes: [{known}], no_advertise: true"
        return start_nats(config=f"server_name: n{number}\ncluster {{ {cluster} }}\n").url

    at = ("--swarm.nats.urls", server(0))
    door = spawn_picoclaw("get", "nodes", *at)
    node = spawn_picoclaw("--swarm.role", "worker", *at)
    assert door.finish(20) == 3
    assert says(door.output, "A cluster is not ready")
    node.expect("waiting for a NATS server")

    server(1)

    serving(node, 30)


@pytest.mark.long
def test_an_embedded_server_that_hangs_goes_on_as_the_message_says(
    spawn_picoclaw: SpawnPicoclaw, home: Path
) -> None:
    serving(spawn_picoclaw(*EMBEDDED, "--swarm.name", "first"))
    record = json.loads((home / ".picoclaw" / "run" / "server.json").read_text(encoding="utf-8"))
    os.kill(record["pid"], signal.SIGSTOP)
    try:
        second = spawn_picoclaw(*EMBEDDED)
        assert second.finish(20) == 3
        assert says(second.output, "It hangs")
        assert f"kill -CONT {record['pid']}" in second.output
    finally:
        os.kill(record["pid"], signal.SIGCONT)

    serving(spawn_picoclaw(*EMBEDDED))


def test_an_embedded_server_that_cannot_start_and_a_store_that_is_newer(
    run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw, home: Path
) -> None:
    store = home / ".picoclaw" / "nats"
    store.mkdir(parents=True)
    (store / "jetstream").write_text("in the way", encoding="utf-8")
    broken = run_picoclaw(*EMBEDDED)
    assert broken.returncode == 3
    assert says(broken.stderr, "It does not start")
    (store / "jetstream").unlink()

    first = serving(spawn_picoclaw(*EMBEDDED))
    first.terminate()
    assert first.finish() == 0
    version = store / "VERSION"
    written = json.loads(version.read_text(encoding="utf-8"))
    for nth, newer in enumerate(({"format": 99}, {"nats_server": "9.1.0"})):
        version.write_text(json.dumps(written | newer), encoding="utf-8")
        refused = run_picoclaw(*EMBEDDED)
        assert refused.returncode == 1
        assert says(refused.stderr, "The store is newer, or damaged", nth)
    purged = run_picoclaw("down", "--purge", "--yes")
    assert purged.returncode == 0, purged.stderr

    serving(spawn_picoclaw(*EMBEDDED))
