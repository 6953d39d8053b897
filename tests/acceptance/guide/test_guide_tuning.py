"""The guide's figures for swarms of three sizes: nodes run with each of the files as it stands."""

from pathlib import Path

import pytest
import yaml

from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.docs import document, table
from picoclaw.tests.support.guide import guide
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import look

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

SIZES = {
    "small": "Small swarm (2 to 5 nodes)",
    "medium": "Medium swarm (5 to 20 nodes)",
    "large": "Large swarm (20 nodes and more)",
}
HID = "three sizes"


async def test_nodes_run_with_the_figures_of_each_file(
    spawn_picoclaw: SpawnPicoclaw, nats_server: NatsServer, tmp_path: Path
) -> None:
    nodes = {}
    for size, heading in SIZES.items():
        path = tmp_path / size / ".picoclaw" / "config.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(guide(heading, "yaml").text, encoding="utf-8")
        nodes[size] = spawn_picoclaw(
            "--swarm.role", "worker", "--swarm.name", size, "--swarm.hid", HID,
            "--swarm.nats.urls", nats_server.url, env={"HOME": str(tmp_path / size)},
        )  # fmt: skip
    for node in nodes.values():
        await node.expect_async("is in swarm", 20)

    async with look(nats_server.url, HID, tmp_path / "look") as lab:
        door = await lab.door()
        await door.read_members()
        beats = {name: member.beat for name, member in door.members.table.items()}
    for size, heading in SIZES.items():
        wanted = yaml.safe_load(guide(heading, "yaml").text)["swarm"]
        seen = beats[size]
        assert seen.slots == wanted["max_concurrent"], size
        assert f"{seen.interval_s:g}s" == wanted["nats"]["heartbeat_interval"], size
        assert f"{seen.timeout_s:g}s" == wanted["nats"]["node_timeout"], size
    for size, node in nodes.items():
        warned = "has no effect without swarm.temporal.address" in node.output
        assert warned == (size == "large"), size


def test_the_table_of_profiles_is_that_of_the_guides_files() -> None:
    rows = {row["--swarm.profile"]: row for row in table(document("tuning.md"), "`--swarm.profile`")}

    for size, heading in SIZES.items():
        wanted = yaml.safe_load(guide(heading, "yaml").text)["swarm"]
        row = rows[size]
        assert int(row["max_concurrent"]) == wanted["max_concurrent"]
        assert row["heartbeat_interval"] == wanted["nats"]["heartbeat_interval"]
        assert row["node_timeout"] == wanted["nats"]["node_timeout"]
