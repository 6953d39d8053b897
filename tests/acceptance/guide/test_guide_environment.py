"""The guide's files: nodes by environment alone, as containers start them, and by the config file."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.docs import Block
from picoclaw.tests.support.guide import guide, nodes_of, review
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.terminals import Terminals

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

BARE = ["picoclaw"]


def as_here(environment: dict[str, str]) -> dict[str, str]:
    """The environment with the host name of the NATS server substituted."""
    print("host name nats -> 127.0.0.1")
    return {name: value.replace("//nats:", "//127.0.0.1:") for name, value in environment.items()}


def of_compose(block: Block) -> list[dict[str, str]]:
    """The environment of each PicoClaw container of a compose file, replicas included."""
    services = yaml.safe_load(block.text)["services"]
    assert services["nats"]["command"] == "-js"
    found: list[dict[str, str]] = []
    for service in services.values():
        if service["image"].startswith("picoclaw"):
            environment = dict(line.split("=", 1) for line in service["environment"])
            found += [environment] * service.get("deploy", {}).get("replicas", 1)
    return found


def of_kubernetes(block: Block) -> list[dict[str, str]]:
    """The environment of one container of each deployment."""
    manifests: list[Any] = list(yaml.safe_load_all(block.text))
    assert [manifest["spec"]["replicas"] for manifest in manifests] == [1, 5]
    containers = [manifest["spec"]["template"]["spec"]["containers"][0] for manifest in manifests]
    return [{entry["name"]: entry["value"] for entry in container["env"]} for container in containers]


def test_nodes_start_by_the_environment_of_the_compose_file_and_of_kubernetes_alone(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path
) -> None:
    compose = of_compose(guide("Several containers, with Docker Compose", "yaml"))
    kubernetes = of_kubernetes(guide("4. Kubernetes", "yaml"))
    assert len(compose) == 4
    terminals.nats_server(["nats-server", "-js"])

    nodes = [terminals.picoclaw(BARE, env=as_here(environment)) for environment in [*compose, *kubernetes]]

    for node in nodes:
        serving(node)
    seen = list(nodes_of(run_picoclaw).values())
    assert sorted(node["role"] for node in seen) == ["coordinator"] * 2 + ["worker"] * 4
    declared = [{*node["capabilities"], *node["not_ready"]} for node in seen if node["role"] == "worker"]
    assert sum({"code", "research"} <= names for names in declared) == 4
    assert sum("writing" in names for names in declared) == 1
    assert "app.py" in review(run_picoclaw, repository, "--capability", "code")


def test_each_variable_of_the_table_reaches_the_node(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, nats_server: NatsServer
) -> None:
    environment = {
        "PICOCLAW_SWARM_ENABLED": "true",
        "PICOCLAW_SWARM_ROLE": "specialist",
        "PICOCLAW_SWARM_NATS_URLS": nats_server.url,
        "PICOCLAW_SWARM_CAPABILITIES": "docs,testing",
        "PICOCLAW_SWARM_MAX_CONCURRENT": "3",
        "PICOCLAW_SWARM_HID": "by environment",
        "PICOCLAW_SWARM_SID": "session 7",
    }

    serving(spawn_picoclaw(env=environment))

    ran = run_picoclaw("get", "nodes", "--json", env=environment)
    (node,) = json.loads(ran.stdout)
    assert (node["role"], node["capabilities"], node["slots"], node["sid"]) == (
        "specialist",
        ["docs", "testing"],
        3,
        "session 7",
    )
    elsewhere = run_picoclaw("get", "nodes", env=environment | {"PICOCLAW_SWARM_HID": "another"})
    assert "no swarm with H-id 'another'" in elsewhere.stderr
    # Without the first one nothing is started, whatever else is set.
    idle = run_picoclaw(env=environment | {"PICOCLAW_SWARM_ENABLED": "false"})
    assert idle.returncode == 0
    assert "Nothing was started" in idle.stdout


def test_bare_picoclaw_starts_a_coordinator_of_the_config_file(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path, home: Path
) -> None:
    block = guide("Config file", "yaml")
    where, *_ = block.text.splitlines()
    path = home / where.removeprefix("# ~/")
    path.parent.mkdir()
    path.write_text(block.text, encoding="utf-8")
    terminals.nats_server(["nats-server", "-js"])

    coordinator = serving(terminals.picoclaw(BARE))
    worker = serving(
        terminals.picoclaw(["picoclaw", "--swarm.role", "worker", "--swarm.capabilities", "code"])
    )

    assert "app.py" in review(run_picoclaw, repository, "--capability", "code")
    for node in (coordinator, worker):
        assert node.output.count("Temporal connection failed (workflows disabled)") == 1
    (leads,) = [node for node in nodes_of(run_picoclaw).values() if node["role"] == "coordinator"]
    assert (leads["slots"], leads["marks"]) == (10, ["coordination", "scheduling"])
