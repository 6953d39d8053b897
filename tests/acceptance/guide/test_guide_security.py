"""The guide's security: servers that demand credentials or TLS let the right nodes in, and nobody else."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nkeys
import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.guide import guide, nodes_of, review
from picoclaw.tests.support.jwt import make_key, make_tenant, user_key
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.quoted import pattern, quoted, says
from picoclaw.tests.support.terminals import Terminals
from picoclaw.tests.support.tls import make_certificates
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

ALONE = ("--swarm.role", "coordinator", "--swarm.capabilities", "docs")
"""A swarm of one node: it plans and it works."""
DOCS_ONLY = ("--capability", "docs")


@dataclass(frozen=True)
class Door:
    """A server's demand, who meets it, and who does not with what he is told."""

    config: str
    right: tuple[Sequence[str], ...]
    wrong: tuple[tuple[Sequence[str], tuple[str, int]], ...]
    scheme: str = "nats"


NONE_GIVEN, REFUSED = ("Credentials", 0), ("Credentials", 1)
NOT_TRUSTED, NO_CERTIFICATE = ("TLS", 0), ("TLS", 1)
"""Where docs/troubleshooting.md quotes what is told."""


def user_and_password(folder: Path) -> Door:
    given = ("--swarm.nats.credentials", "ann:s3cret")
    wrong = ("--swarm.nats.credentials", "ann:guessed")
    return Door(
        'authorization { user: "ann", password: "s3cret" }', (given,), (((), NONE_GIVEN), (wrong, REFUSED))
    )


def nkey(folder: Path) -> Door:
    user, other = user_key(), user_key()
    path = folder / "user.nk"
    path.write_text(f"{user.seed}\n", encoding="utf-8")
    right = (("--swarm.nats.credentials", str(path)), ("--swarm.nats.credentials", user.seed))
    wrong = (((), NONE_GIVEN), (("--swarm.nats.credentials", other.seed), REFUSED))
    return Door(f"authorization {{ users: [{{ nkey: {user.public} }}] }}", right, wrong)


def creds(folder: Path) -> Door:
    tenant = make_tenant()
    right, forged, old = folder / "right.creds", folder / "forged.creds", folder / "old.creds"
    right.write_text(tenant.creds(), encoding="utf-8")
    forged.write_text(tenant.creds(signed_by=make_key(nkeys.PREFIX_BYTE_ACCOUNT)), encoding="utf-8")
    old.write_text(tenant.creds(seconds=-60), encoding="utf-8")
    flag = "--swarm.nats.credentials"
    wrong = (((), NONE_GIVEN), ((flag, str(forged)), REFUSED), ((flag, str(old)), REFUSED))
    return Door(tenant.config, ((flag, str(right)),), wrong)


def client_certificates(folder: Path) -> Door:
    made = make_certificates(folder)
    authority = ("--swarm.nats.tls.ca", str(made.ca))
    own = ("--swarm.nats.tls.cert", str(made.client_cert), "--swarm.nats.tls.key", str(made.client_key))
    wrong = ((authority, NO_CERTIFICATE), (own, NOT_TRUSTED))
    return Door(made.server_config(verify=True), ((*authority, *own),), wrong, "tls")  # fmt: skip


@pytest.mark.parametrize(
    "door",
    [
        # What all of them are told: test_connection_failures.py.
        pytest.param(user_and_password, marks=pytest.mark.long),
        pytest.param(nkey, marks=pytest.mark.long),
        creds,
        client_certificates,
    ],
)
def test_a_server_that_demands_it_lets_the_right_nodes_in_and_tells_the_others_why_not(
    door: Callable[[Path], Door], start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw,
    run_picoclaw: RunPicoclaw, repository: Path, tmp_path: Path,
) -> None:  # fmt: skip
    made = door(tmp_path)
    server = start_nats(config=made.config)
    at = ("--swarm.nats.urls", server.url.replace("nats:", f"{made.scheme}:"))

    nodes = [spawn_picoclaw(*ALONE, *at, *given) for given in made.right]
    strangers = [(spawn_picoclaw("--swarm.role", "worker", *at, *given), why) for given, why in made.wrong]

    for node in nodes:
        serving(node)
    report = review(run_picoclaw, repository, *DOCS_ONLY, *at, *made.right[-1])
    assert "app.py" in report
    for stranger, why in strangers:
        assert stranger.finish(20) == 3
        (line,) = stranger.lines
        assert says(line, *why)
        assert not any(
            secret in line for given, _ in made.wrong for secret in given[1::2] if "/" not in secret
        )


@pytest.mark.long
def test_credentials_that_expire_are_told_and_new_ones_in_the_same_file_bring_the_node_back(
    start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    tenant = make_tenant()
    server = start_nats(config=tenant.config)
    path = tmp_path / "node.creds"
    path.write_text(tenant.creds(seconds=8), encoding="utf-8")
    at = ("--swarm.nats.urls", server.url, "--swarm.nats.credentials", str(path))
    node = serving(spawn_picoclaw("--swarm.role", "worker", "--swarm.name", "hand", *at))

    node.expect(pattern(quoted("troubleshooting.md")["Credentials"][2]))
    path.write_text(tenant.creds(), encoding="utf-8")

    wait_for(lambda: nodes_of(run_picoclaw, *at)["hand"]["status"] == "online", 20)


def test_a_token_as_in_the_guide_and_the_form_that_fits(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path, tmp_path: Path
) -> None:
    server, with_file = guide("For production").commands()
    terminals.nats_server(server)

    # As it stands: no such file, and one that is there is not what this server wants.
    missing = terminals.picoclaw(with_file)
    tenant = tmp_path / "creds"
    tenant.write_text(make_tenant().creds(), encoding="utf-8")
    print(f"substituted: /path/to/creds -> {tenant}")
    refused = terminals.picoclaw([word.replace("/path/to/creds", str(tenant)) for word in with_file])
    tenant = tmp_path / "token"
    tenant.write_text(f"{server[-1]}\n", encoding="utf-8")
    held = terminals.picoclaw([word.replace("/path/to/creds", str(tenant)) for word in with_file], *ALONE)
    fitting = [held] + [terminals.picoclaw(line, *ALONE) for line in guide("For production", "sh").commands()]

    assert missing.finish() == 2
    assert says(missing.output, "Credentials", 3)
    assert refused.finish() == 3
    assert says(refused.output, *REFUSED)
    for node in fitting:
        serving(node)
    token = {"PICOCLAW_SWARM_NATS_TOKEN": server[-1]}
    ran = run_picoclaw("dispatch", "Review", *DOCS_ONLY, "--repo", str(repository), env=token)
    assert ran.returncode == 0, ran.stderr


def test_tls_as_in_the_guide_and_the_form_that_works(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path, tmp_path: Path
) -> None:
    without_files, node = guide("For production", nth=1).commands()
    folder = terminals.folder
    made = make_certificates(folder)
    for old, new in (
        (made.cert, "server.pem"),
        (made.key, "server-key.pem"),
        (made.client_cert, "node.pem"),
        (made.client_key, "node-key.pem"),
    ):
        os.rename(old, folder / new)

    assert "TLS Server certificate must be present and valid" in terminals.refused(without_files)

    for number in (1, 2):
        server, with_authority = guide("For production", "sh", number).commands()
        terminals.nats_server(server)
        untold = terminals.picoclaw(node)
        let_in = terminals.picoclaw(with_authority, *ALONE, cwd=folder)
        assert untold.finish() == 3
        assert says(untold.output, *NOT_TRUSTED)
        serving(let_in)
        ran = run_picoclaw(
            "dispatch", "Review", *DOCS_ONLY, "--repo", str(repository), *with_authority[1:], cwd=folder
        )
        assert ran.returncode == 0, ran.stderr
        let_in.terminate()
        assert let_in.finish() == 0
        terminals.end_server()


@pytest.mark.long
def test_two_h_ids_on_one_server_are_two_swarms(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, nats_server: NatsServer, repository: Path
) -> None:
    at = ("--swarm.nats.urls", nats_server.url)
    swarms = [(*at, "--swarm.hid", "staging eu"), (*at, "--swarm.hid", "production eu")]
    for number, swarm in enumerate(swarms):
        serving(spawn_picoclaw(*ALONE, *swarm, "--swarm.name", f"node{number}"))

    review(run_picoclaw, repository, *DOCS_ONLY, *swarms[0])

    assert [[*nodes_of(run_picoclaw, *swarm)] for swarm in swarms] == [["node0"], ["node1"]]
    requests = [run_picoclaw("get", "requests", *swarm).stdout.count("\nr-") for swarm in swarms]
    assert requests == [1, 0]
