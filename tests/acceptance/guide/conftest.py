"""Fixtures of the guide's tests: its port, its terminals and a small repository to review."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.network import own_network, why_no_namespace
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.terminals import Terminals


@pytest.fixture
def port_4222(nothing_left: None) -> Iterator[None]:
    """Port 4222 is this test's: in a network of its own, else the machine's if nobody has it."""
    if not (why_not := why_no_namespace()):
        with own_network():
            yield
        return
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", 4222))
        except OSError as error:
            pytest.skip(f"{why_not}, and port 4222 of this machine is taken ({error.strerror})")
    yield


@pytest.fixture
def terminals(
    port_4222: None, nothing_left: None, spawn_picoclaw: SpawnPicoclaw, tmp_path: Path
) -> Iterator[Terminals]:
    """Terminals of a machine whose port 4222 is free."""
    (tmp_path / "terminals").mkdir()
    made = Terminals(spawn_picoclaw, tmp_path / "terminals")
    yield made
    made.close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that takes no time to review, with something to be found in it."""
    return make_repository(
        tmp_path / "project", {"app.py": "import os\n\n\ndef run(text):\n    return eval(text)\n"}, git=True
    )
