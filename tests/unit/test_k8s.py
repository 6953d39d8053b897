"""The Kubernetes files: valid, and of one mind with each other, with the code and with the image."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest

from picoclaw import __version__
from picoclaw.config.settings import NatsSettings, SwarmSettings
from picoclaw.config.urls import DEFAULT_PORT
from picoclaw.swarm.server_version import MINIMUM, parse_version
from picoclaw.tests.support.deployment import ROOT, check_command, documents, load_as_node
from picoclaw.tests.support.docs import blocks, document
from picoclaw.tests.support.nats import nats_server_binary

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

K8S = ROOT / "k8s"
VERSIONS = ("1.27", "1.30", "1.32", "1.35")
DEV, PROD, TLS = "dev", "prod", "prod with TLS"

Objects = dict[tuple[str, str], dict[str, Any]]


def objects(text: str) -> Objects:
    """Every object of rendered files, by kind and name."""
    found = documents(text)
    named = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(named) == len(found) > 0, "an object stands there twice, or none at all"
    return named


def of_base() -> Objects:
    """The base as it stands, without kustomize."""
    (listed,) = documents((K8S / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    return objects("\n---\n".join((K8S / "base" / name).read_text() for name in listed["resources"]))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Objects]:
    """What kustomize makes of each overlay, and of prod as its comment says how to add TLS."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on the PATH, which has kustomize in it")
    copy = tmp_path_factory.mktemp("k8s") / "k8s"
    shutil.copytree(K8S, copy, symlinks=True)
    file = copy / "overlays" / "prod" / "kustomization.yaml"
    text, changed = re.subn(
        r"^# (components:|  - \.\./\.\./components/tls)$", r"\1", file.read_text(), flags=re.MULTILINE
    )
    assert changed == 2
    file.write_text(text)
    overlays = {DEV: K8S / "overlays" / "dev", PROD: K8S / "overlays" / "prod", TLS: file.parent}
    return {name: objects(_kustomize(folder)) for name, folder in overlays.items()}


def _kustomize(folder: Path) -> str:
    ran = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=20, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(params=["base", DEV, PROD, TLS])
def found(request: pytest.FixtureRequest) -> Objects:
    if request.param == "base":
        return of_base()
    every: dict[str, Objects] = request.getfixturevalue("rendered")
    return every[request.param]


def pods(found: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each workload's name and its pods' template."""
    for (kind, name), one in found.items():
        if kind in ("Deployment", "StatefulSet"):
            yield name, one["spec"]["template"]


def container(template: dict[str, Any]) -> dict[str, Any]:
    (only,) = template["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def nodes(found: Objects) -> dict[str, dict[str, Any]]:
    return {name: template for name, template in pods(found) if name.startswith("picoclaw-")}


def environment(template: dict[str, Any]) -> dict[str, str]:
    """What a container is told; what the platform fills in stands for itself."""
    told = {}
    for variable in container(template)["env"]:
        source = variable.get("valueFrom")
        told[variable["name"]] = variable["value"] if source is None else "filled-in"
    return told


def matches(selector: dict[str, str], template: dict[str, Any]) -> bool:
    labels: dict[str, str] = template["metadata"]["labels"]
    return selector.items() <= labels.items()


# --- valid ---


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_is_valid_to_the_letter(found: Objects, version: str) -> None:
    for one in found.values():
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("spec", "replicas"), "five"),
        (("spec", "replica"), 5),
        (("spec", "template", "spec", "terminationGracePeriod"), 40),
    ],
)
def test_the_validator_can_say_no(path: tuple[str, ...], wrong: object) -> None:
    worker = of_base()["Deployment", "picoclaw-worker"]
    place = worker
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(worker, VERSIONS[-1], strict=True)


def test_each_file_of_a_folder_is_used_by_its_kustomization() -> None:
    folders = [path.parent for path in K8S.rglob("kustomization.yaml")]
    assert {str(folder.relative_to(K8S)) for folder in folders} == {
        "base", "overlays/dev", "overlays/prod", "components/tls",
    }  # fmt: skip
    for folder in folders:
        (listed,) = documents((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        generated = [name for one in listed.get("configMapGenerator", []) for name in one["files"]]
        patched = [one["path"] for one in listed.get("patches", []) if "path" in one]
        used = {*listed.get("resources", []), *generated, *patched}
        there = {path.name for path in folder.iterdir() if path.is_file()} - {"kustomization.yaml"}
        assert there == {name for name in used if not name.startswith("..")}
        assert all((folder / name).exists() for name in used)


def test_the_guides_file_names_lead_to_the_base() -> None:
    for name in ("coordinator.yaml", "worker.yaml"):
        assert (K8S / name).readlink() == Path("base") / name


# --- of one mind with the guide and the code ---


def test_what_the_guide_has_is_there_as_the_guide_has_it() -> None:
    (block,) = [b for b in blocks(document("guide.md")) if "kind: Deployment" in b.text]
    guide, ours = objects(block.text), of_base()

    assert len(guide) == 2
    for key, theirs in guide.items():
        kubernetes_validate.validate(theirs, VERSIONS[-1], strict=True)
        mine = ours[key]
        assert mine["spec"]["replicas"] == theirs["spec"]["replicas"]
        assert mine["spec"]["selector"] == theirs["spec"]["selector"]
        there, here = container(theirs["spec"]["template"]), container(mine["spec"]["template"])
        assert (here["name"], here["image"]) == (there["name"], there["image"])
        assert all(variable in here["env"] for variable in there["env"])


def test_nodes_are_told_by_environment_alone_and_take_all_of_it(found: Objects, tmp_path: Path) -> None:
    assert set(nodes(found)) == {"picoclaw-coordinator", "picoclaw-worker"}
    for name, template in nodes(found).items():
        swarm = load_as_node(environment(template), tmp_path).settings.swarm
        assert (swarm.enabled, f"picoclaw-{swarm.role}") == (True, name)
        assert not {"command", "args"} & container(template).keys()
        # Variables of services would look like settings.
        assert template["spec"]["enableServiceLinks"] is False


def test_a_pod_is_given_more_time_than_a_drain_may_last(found: Objects, tmp_path: Path) -> None:
    for template in nodes(found).values():
        drain = load_as_node(environment(template), tmp_path).settings.swarm.drain_timeout
        assert template["spec"]["terminationGracePeriodSeconds"] >= drain.total_seconds() + 10
    assert SwarmSettings().drain_timeout.total_seconds() > 0


def test_probes_are_real_commands_and_none_restarts_a_node_for_want_of_its_server(found: Objects) -> None:
    for template in nodes(found).values():
        liveness, readiness = (container(template)[f"{kind}Probe"] for kind in ("liveness", "readiness"))
        assert liveness["exec"]["command"] == ["picoclaw", "health"]
        assert readiness["exec"]["command"] == ["picoclaw", "health", "--ready"]
        for probe in (liveness, readiness):
            check_command(probe["exec"]["command"])
            assert 1 < probe["timeoutSeconds"] <= probe["periodSeconds"]


def test_nodes_find_the_server_by_a_service_that_leads_to_its_port(found: Objects, tmp_path: Path) -> None:
    service = found["Service", "nats"]["spec"]
    server = found["StatefulSet", "nats"]["spec"]
    assert matches(service["selector"], server["template"])
    ports = {port["name"]: port["containerPort"] for port in container(server["template"])["ports"]}
    (client,) = service["ports"]
    assert (client["port"], ports[client["targetPort"]]) == (DEFAULT_PORT, DEFAULT_PORT)
    for template in nodes(found).values():
        (url,) = load_as_node(environment(template), tmp_path).settings.swarm.nats.urls
        assert url.partition("://")[2] == f"nats:{DEFAULT_PORT}"


# --- of one mind with each other ---


def test_selectors_select_their_own_pods_and_no_others(found: Objects) -> None:
    every = dict(pods(found))
    for (kind, name), one in found.items():
        match kind:
            case "Deployment" | "StatefulSet":
                selector = one["spec"]["selector"]["matchLabels"]
                spread = one["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
                chosen = [selector, *(each["labelSelector"]["matchLabels"] for each in spread)]
            case "PodDisruptionBudget":
                chosen = [one["spec"]["selector"]["matchLabels"]]
            case "Service":
                chosen, name = [one["spec"]["selector"]], "nats"
            case _:
                continue
        for labels in chosen:
            assert [other for other, template in every.items() if matches(labels, template)] == [name]


def test_nobody_but_nodes_reaches_the_server_and_nobody_reaches_a_node(found: Objects) -> None:
    server = found["NetworkPolicy", "nats"]["spec"]
    every = dict(pods(found))
    reach = {
        (name, rule["ports"][0]["port"])
        for rule in server["ingress"]
        for who in rule["from"]
        for name, template in every.items()
        if matches(who["podSelector"]["matchLabels"], template)
    }
    assert reach == {
        ("picoclaw-coordinator", DEFAULT_PORT),
        ("picoclaw-worker", DEFAULT_PORT),
        ("nats", 6222),
    }
    assert all(len(rule["ports"]) == len(rule["from"]) == 1 for rule in server["ingress"])
    closed = found["NetworkPolicy", "picoclaw-nodes"]["spec"]
    assert (closed["policyTypes"], closed["ingress"]) == (["Ingress"], [])
    assert {n for n, t in every.items() if matches(closed["podSelector"]["matchLabels"], t)} == set(
        nodes(found)
    )


def test_every_pod_fits_the_restricted_standard(found: Objects) -> None:
    for name, template in pods(found):
        pod, one = template["spec"], container(template)
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] >= 10_000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in one["resources"]["limits"]


def test_every_mount_has_its_volume_and_what_a_node_writes_is_a_volume(found: Objects) -> None:
    for name, template in pods(found):
        volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", [])}
        claims = found["StatefulSet", "nats"]["spec"]["volumeClaimTemplates"] if name == "nats" else []
        known = volumes.keys() | {claim["metadata"]["name"] for claim in claims}
        mounts = {mount["mountPath"]: mount for mount in container(template)["volumeMounts"]}
        assert {mount["name"] for mount in mounts.values()} == known
        if name != "nats":
            assert all("emptyDir" in volumes[mounts[path]["name"]] for path in ("/home/picoclaw", "/tmp"))


def test_nodes_run_as_the_user_of_the_image() -> None:
    (user,) = re.findall(r"^USER (\d+):\1$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for template in nodes(of_base()).values():
        context = template["spec"]["securityContext"]
        assert {context["runAsUser"], context["runAsGroup"], context["fsGroup"]} == {int(user)}


def test_the_server_is_new_enough_and_as_compose_has_it(found: Objects) -> None:
    image = container(found["StatefulSet", "nats"]["spec"]["template"])["image"]

    assert parse_version(image.partition(":")[2]) >= MINIMUM
    assert f":-{image}}}" in (ROOT / "compose" / "docker-compose.yml").read_text(encoding="utf-8")


# --- the overlays ---


def test_development_is_small_and_production_survives_the_loss_of_a_server(
    rendered: dict[str, Objects], tmp_path: Path
) -> None:
    def replicas(overlay: str) -> dict[str, int]:
        return {n: rendered[overlay][kind, n]["spec"]["replicas"] for kind, n in rendered[overlay] if n and kind in (
            "Deployment", "StatefulSet")}  # fmt: skip

    assert replicas(DEV) == {"nats": 1, "picoclaw-coordinator": 1, "picoclaw-worker": 2}
    assert replicas(PROD) == replicas(TLS) == {"nats": 3, "picoclaw-coordinator": 2, "picoclaw-worker": 5}
    for overlay, copies in ((DEV, 1), (PROD, 3), (TLS, 3)):
        for template in nodes(rendered[overlay]).values():
            assert load_as_node(environment(template), tmp_path).settings.swarm.nats.replicas == copies
    budget = rendered[PROD]["PodDisruptionBudget", "nats"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert NatsSettings().replicas == 1
    tags = {container(template)["image"].rpartition(":")[2] for template in nodes(rendered[PROD]).values()}
    assert tags == {__version__}


def test_each_overlay_is_one_namespace_that_holds_pods_to_the_restricted_standard(
    rendered: dict[str, Objects],
) -> None:
    for overlay, namespace in ((DEV, "picoclaw-dev"), (PROD, "picoclaw"), (TLS, "picoclaw")):
        labels = rendered[overlay]["Namespace", namespace]["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        inside = {
            one["metadata"].get("namespace")
            for (kind, _), one in rendered[overlay].items()
            if kind != "Namespace"
        }
        assert inside == {namespace}


def test_in_production_nobody_starts_without_the_token(rendered: dict[str, Objects]) -> None:
    for overlay in (PROD, TLS):
        read = {}
        for name, template in pods(rendered[overlay]):
            variables = {variable["name"]: variable for variable in container(template)["env"]}
            token = variables["NATS_TOKEN" if name == "nats" else "PICOCLAW_SWARM_NATS_TOKEN"]
            read[name] = token["valueFrom"]["secretKeyRef"]
        assert all(secret["name"] == "picoclaw-nats" for secret in read.values())
        assert all(secret["key"] == "token" for secret in read.values())
        assert not any(secret.get("optional") for secret in read.values())


def test_with_tls_nodes_are_given_the_authority_and_not_the_servers_key(
    rendered: dict[str, Objects], tmp_path: Path
) -> None:
    for template in nodes(rendered[TLS]).values():
        nats = load_as_node(environment(template), tmp_path).settings.swarm.nats
        assert nats.urls == ("tls://nats:4222",)
        mounts = {mount["name"]: mount["mountPath"] for mount in container(template)["volumeMounts"]}
        (secret,) = [volume for volume in template["spec"]["volumes"] if "secret" in volume]
        assert [item["key"] for item in secret["secret"]["items"]] == ["ca.crt"]
        assert environment(template)["PICOCLAW_SWARM_NATS_TLS_CA"] == f"{mounts[secret['name']]}/ca.crt"


@pytest.mark.parametrize("overlay", [DEV, PROD, TLS])
def test_the_servers_configuration_is_one_that_a_server_takes(
    rendered: dict[str, Objects], overlay: str, tmp_path: Path
) -> None:
    server = rendered[overlay]["StatefulSet", "nats"]["spec"]["template"]
    (name,) = [v["configMap"]["name"] for v in server["spec"]["volumes"] if "configMap" in v]
    files = rendered[overlay]["ConfigMap", name]["data"]
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    told = {"POD_NAME": "nats-0", **({"NATS_TOKEN": "t0ken"} if overlay != DEV else {})}
    # Names only the variables that its pods are given.
    assert told.keys() == {variable["name"] for variable in container(server)["env"]}

    ran = subprocess.run(
        [nats_server_binary(), "-t", "-c", str(tmp_path / "nats.conf")],
        env=told, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip

    if overlay == TLS:  # it read everything, but for the files of a Secret
        mounts = {mount["mountPath"] for mount in container(server)["volumeMounts"]}
        assert "open /etc/nats-tls/tls.crt: no such file" in ran.stderr
        assert "/etc/nats-tls" in mounts
    else:
        assert ran.returncode == 0, ran.stderr
    routes = re.findall(r"nats://(nats-\d)\.(\S+):(\d+)", files["cluster.conf"])
    if overlay != DEV:
        headless = rendered[overlay]["Service", "nats-headless"]["spec"]
        assert routes == [(f"nats-{number}", "nats-headless", "6222") for number in range(3)]
        assert headless["clusterIP"] == "None"
        assert headless["publishNotReadyAddresses"] is True
        assert rendered[overlay]["StatefulSet", "nats"]["spec"]["serviceName"] == "nats-headless"
