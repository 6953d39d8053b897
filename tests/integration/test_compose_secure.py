"""The server of compose/secure.yml, for real: its own configuration file, and what the nodes beside it are told."""

from pathlib import Path

import pytest

from picoclaw.config.load import load
from picoclaw.errors import AuthorizationFailed, TlsFailed
from picoclaw.swarm.connection import connect
from picoclaw.tests.support.deployment import ROOT
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.tls import make_certificates

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]

TOKEN = "PICOCLAW_SWARM_NATS_TOKEN"


async def test_token_and_authority_from_the_environment_let_a_node_in_and_nothing_less(
    start_nats: StartNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path)
    config = (ROOT / "compose" / "nats-secure.conf").read_text(encoding="utf-8")
    for mounted, here in (
        ("/etc/picoclaw/tls/server.pem", certificates.cert),
        ("/etc/picoclaw/tls/server-key.pem", certificates.key),
        ("store_dir: /data", ""),  # the server of a test is given its own
        ("http: 8222", "http: 127.0.0.1:-1"),  # a free port
    ):
        assert mounted in config
        config = config.replace(mounted, str(here))
    # One variable for the server and for the nodes.
    monkeypatch.setenv(TOKEN, "t0123456789abcdef")
    server = start_nats(config=config)
    told = {
        "PICOCLAW_SWARM_NATS_URLS": server.url.replace("nats://", "tls://"),
        "PICOCLAW_SWARM_NATS_TLS_CA": str(certificates.ca),
        TOKEN: "t0123456789abcdef",
    }

    async def visit(**changed: str) -> None:
        settings = load({}, {**told, **changed}, file=None, home=tmp_path).settings
        client = await connect(settings.swarm.nats, name="test")
        await client.close()

    await visit()
    with pytest.raises(AuthorizationFailed):
        await visit(**{TOKEN: "another"})
    with pytest.raises(AuthorizationFailed):
        await visit(**{TOKEN: ""})
    with pytest.raises(TlsFailed):
        await visit(PICOCLAW_SWARM_NATS_TLS_CA="")
