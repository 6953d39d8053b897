"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.swarm import Lab


@pytest.fixture
async def lab(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Lab]:
    """A swarm of this test's own on the server of the whole run."""
    lab = Lab(nats_server.url, tmp_path / "picoclaw")
    yield lab
    await lab.close()
