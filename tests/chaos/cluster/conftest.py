"""What the tests of a cluster share: three servers, and a look at the swarm on them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from picoclaw.tests.support.cluster import HID, Cluster
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.swarm import Lab


@pytest.fixture
def cluster(start_nats: StartNats) -> Cluster:
    return Cluster(start_nats)


@pytest.fixture
async def lab(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Lab]:
    lab = cluster.lab(tmp_path / "picoclaw", HID)
    yield lab
    await lab.close(clean=False)
