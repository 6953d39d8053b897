"""The compose files: valid, and of one mind with the code and with the image."""

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from picoclaw.config.keys import BY_ENV
from picoclaw.config.settings import NatsSettings, SwarmSettings
from picoclaw.config.urls import DEFAULT_PORT
from picoclaw.swarm.server_version import MINIMUM, parse_version
from picoclaw.tests.support.deployment import ROOT, check_command, documents, load_as_node, seconds
from picoclaw.tests.support.docs import blocks, document

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

COMPOSE = ROOT / "compose"
BASE, REVIEW, SECURE = "docker-compose.yml", "code-review.yml", "secure.yml"
STACKS = [(BASE,), (BASE, REVIEW), (BASE, SECURE), (BASE, REVIEW, SECURE)]
NODES = re.compile(r"coordinator|worker|.*-specialist")
SECRETS = {
    "PICOCLAW_SWARM_NATS_TOKEN": "t0ken",
    "PICOCLAW_SWARM_NATS_URLS": "tls://nats:4222",
    "PICOCLAW_SWARM_NATS_TLS_CA": "/etc/picoclaw/tls/ca.pem",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    """What compose makes of `${NAME:-default}` and `${NAME:?error}` in texts; they stay texts."""

    def found(match: re.Match[str]) -> str:
        name, mark, rest = match.groups()
        given = environment.get(name, "")
        assert given or mark != "?", f"{name}: {rest}"
        return given or (rest if mark == "-" else "")

    match value:
        case dict():
            return {key: interpolated(one, environment) for key, one in value.items()}
        case list():
            return [interpolated(one, environment) for one in value]
        case str():
            return _VARIABLE.sub(found, value)
    return value


def merged(under: Any, over: Any) -> Any:
    """What compose makes of a key that two files have: lists of mounts are joined, commands replaced."""
    if isinstance(under, dict) and isinstance(over, dict):
        both = deepcopy(under)
        for key, value in over.items():
            joins = key in both and key not in ("command", "test")
            both[key] = merged(both[key], value) if joins else value
        return both
    return [*under, *over] if isinstance(under, list) and isinstance(over, list) else over


def stack(*files: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The files as compose merges them; each stands on its own as well."""
    whole: dict[str, Any] = {}
    for file in files:
        (parsed,) = documents((COMPOSE / file).read_text(encoding="utf-8"))
        loaded = interpolated(parsed, environment or {})
        PyCompose.from_yaml(yaml.safe_dump(loaded, allow_unicode=True))
        whole = merged(whole, loaded)
    PyCompose.from_yaml(yaml.safe_dump(whole, allow_unicode=True))
    return whole


def nodes(whole: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in whole["services"].items() if NODES.fullmatch(name)}


@pytest.fixture(params=STACKS, ids="+".join)
def whole(request: pytest.FixtureRequest) -> dict[str, Any]:
    return stack(*request.param, environment=SECRETS if SECURE in request.param else {})


def test_each_service_is_the_server_or_a_node_and_every_anchor_is_used(whole: dict[str, Any]) -> None:
    assert set(whole["services"]) == {"nats", *nodes(whole)}
    assert set(whole["volumes"]) == {"jetstream"}


def test_nodes_are_told_by_environment_alone_and_take_all_of_it(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    for name, service in nodes(whole).items():
        swarm = load_as_node(service["environment"], tmp_path).settings.swarm
        assert swarm.enabled
        assert swarm.role == ("specialist" if name.endswith("-specialist") else name)
        assert (swarm.strict, swarm.nats.embedded) == (False, False)
        (url,) = swarm.nats.urls
        assert url.partition("://")[2] == f"nats:{DEFAULT_PORT}"
        assert "command" not in service
        assert "entrypoint" not in service


def test_the_guides_numbers_and_names(tmp_path: Path) -> None:
    base = stack(BASE)
    worker = base["services"]["worker"]
    # The mode is compose's default, which podman-compose wants to be said.
    assert (worker["deploy"]["replicas"], worker["deploy"]["mode"]) == (3, "replicated")
    told = load_as_node(worker["environment"], tmp_path).settings.swarm
    assert told.capabilities == ("code", "research")
    assert told.max_concurrent == SwarmSettings().max_concurrent
    assert told.nats.urls == ("nats://nats:4222",)

    review = stack(BASE, REVIEW)
    assert review["services"]["worker"]["deploy"]["replicas"] == 0
    served = {
        service["environment"]["PICOCLAW_SWARM_CAPABILITIES"]
        for name, service in nodes(review).items()
        if name.endswith("-specialist")
    }
    in_guide = [b for b in blocks(document("guide.md")) if "Code specialist" in b.text]
    assert served == {
        words[words.index("--swarm.capabilities") + 1]
        for block in in_guide
        for words in block.commands()
        if "specialist" in words
    }
    assert len(served) == 4


def test_a_specialist_is_run_as_a_worker_is() -> None:
    whole = stack(BASE, REVIEW)["services"]
    worker = {**whole["worker"], "environment": None}
    worker["deploy"] = {**worker["deploy"], "replicas": 1}
    for name, service in whole.items():
        if name.endswith("-specialist"):
            assert {**service, "environment": None} == worker
            assert service["environment"].keys() | {"PICOCLAW_SWARM_MAX_CONCURRENT"} == (
                whole["worker"]["environment"].keys()
            )


def test_every_container_has_as_few_rights_as_it_can_do_with(whole: dict[str, Any]) -> None:
    for name, service in whole["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert service["restart"] == "unless-stopped", name
        assert "privileged" not in service
    for service in nodes(whole).values():
        assert service["tmpfs"].startswith("/tmp:")
        # A home that is named here would be one for all replicas.
        assert [mount["target"] for mount in service["volumes"]] == ["/etc/picoclaw/tls"]
        assert all(mount["read_only"] for mount in service["volumes"])


def test_a_node_is_stopped_no_sooner_than_its_drain_may_last(whole: dict[str, Any], tmp_path: Path) -> None:
    for service in nodes(whole).values():
        drain = load_as_node(service["environment"], tmp_path).settings.swarm.drain_timeout
        assert seconds(service["stop_grace_period"]) >= drain.total_seconds() + 10


def test_a_node_is_asked_for_its_health_by_a_real_command_once_the_server_is_well(
    whole: dict[str, Any],
) -> None:
    for service in nodes(whole).values():
        assert service["depends_on"] == {"nats": {"condition": "service_healthy"}}
        kind, *argv = service["healthcheck"]["test"]
        assert (kind, argv) == ("CMD", ["picoclaw", "health", "--ready"])
        check_command(argv)
        # A node that waits for its server is not unhealthy as long as it may wait.
        patience = NatsSettings().connect_timeout.total_seconds()
        assert seconds(service["healthcheck"]["start_period"]) >= patience


def test_the_server_is_new_enough_keeps_its_data_and_is_asked_in_a_way_its_image_has(
    whole: dict[str, Any],
) -> None:
    nats = whole["services"]["nats"]
    name, _, tag = nats["image"].partition(":")
    assert name == "nats"
    assert parse_version(tag) >= MINIMUM
    kind, program, *args = nats["healthcheck"]["test"]
    # The plain image has no programs beside the server's.
    assert (kind, program, tag.endswith("-alpine")) == ("CMD", "wget", True)
    assert args[-1].startswith("http://127.0.0.1:8222/healthz")
    assert not any(" " in arg for arg in args)
    assert "jetstream:/data" in nats["volumes"]
    # Nobody else may come in where there is no password.
    assert nats["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]


def test_the_servers_command_line_says_what_its_configuration_file_says() -> None:
    assert stack(BASE)["services"]["nats"]["command"] == ["-js", "-sd", "/data", "-p", "4222", "-m", "8222"]
    text = (COMPOSE / "nats-secure.conf").read_text(encoding="utf-8")
    for line in ("port: 4222", "http: 8222", "store_dir: /data", "token: $PICOCLAW_SWARM_NATS_TOKEN"):
        assert re.search(rf"^ *{re.escape(line)}$", text, re.MULTILINE), line


def test_without_a_token_the_secure_server_does_not_start() -> None:
    with pytest.raises(AssertionError, match="set it in compose"):
        stack(BASE, SECURE)


def test_every_line_of_the_example_is_a_variable_that_some_file_reads(tmp_path: Path) -> None:
    text = (COMPOSE / ".env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", text, re.MULTILINE))
    files = "".join((COMPOSE / name).read_text(encoding="utf-8") for name in (BASE, REVIEW, SECURE))
    read = {match[1]: match[3] or "" for match in _VARIABLE.finditer(files) if match[2] != "?"}

    assert given.keys() == read.keys()
    assert {name for name in given if name.startswith("PICOCLAW_")} <= BY_ENV.keys()
    # As it stands it changes nothing but what is commented out.
    told = {name: value for name, value in given.items() if f"# {name}=" not in text}
    assert stack(BASE, environment=told) == stack(BASE)
    assert (COMPOSE / ".gitignore").read_text(encoding="utf-8").split() == [".env"]


def test_the_guides_own_block_is_valid_and_its_nodes_take_it(tmp_path: Path) -> None:
    (block,) = [b for b in blocks(document("guide.md")) if b.language == "yaml" and "services:" in b.text]
    (guide,) = documents(block.text)
    PyCompose.from_yaml(block.text)
    ours = stack(BASE)

    assert guide["services"].keys() == ours["services"].keys()
    for name in ("coordinator", "worker"):
        told = dict(line.split("=", 1) for line in guide["services"][name]["environment"])
        load_as_node(told, tmp_path)
        # What the guide tells a node, ours is told as well.
        assert told.items() <= ours["services"][name]["environment"].items()
        assert guide["services"][name]["image"] == ours["services"][name]["image"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("replicas: 3", "replicas: three"),
        ("depends_on:", "dependson:"),
        ("stop_grace_period: 40s", "stop_grace_period: 40 parsecs"),
    ],
)
def test_the_validator_can_say_no(right: str, wrong: str) -> None:
    text = (COMPOSE / BASE).read_text(encoding="utf-8")
    assert right in text
    (broken,) = documents(text.replace(right, wrong))

    with pytest.raises(ValueError, match=r"\S"):
        PyCompose.from_yaml(yaml.safe_dump(interpolated(broken, {})))
