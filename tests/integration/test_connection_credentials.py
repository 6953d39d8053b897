"""Every kind of credentials lets its user in, against servers that want just that kind."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import nkeys
import pytest

from picoclaw.config.settings import NatsSettings, TlsSettings
from picoclaw.errors import AuthorizationFailed, ConfigError
from picoclaw.swarm.connection import connect
from picoclaw.tests.support.jwt import make_key, make_tenant, user_key
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.tls import make_certificates

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def user_of(nats: NatsSettings) -> str:
    """Who the server takes us for, on a connection that has JetStream."""
    client = await connect(nats, name="test")
    reply = await client.request("$SYS.REQ.USER.INFO", b"")
    await client.close()
    return str(json.loads(reply.data)["data"]["user"])


async def test_user_and_password(start_nats: StartNats, tmp_path: Path) -> None:
    server = start_nats(config='authorization { user: "ann", password: "s3c:r/t@" }')
    nats = NatsSettings(urls=(server.url,))

    file = tmp_path / "password"
    file.write_text("ann:s3c:r/t@\n")
    assert await user_of(replace(nats, credentials="ann:s3c:r/t@")) == "ann"
    assert await user_of(replace(nats, credentials=str(file))) == "ann"
    assert await user_of(NatsSettings(urls=(server.url_as("ann", "s3c%3Ar%2Ft%40"),))) == "ann"


async def test_a_token(start_nats: StartNats) -> None:
    server = start_nats(config='authorization { token: "t0ken" }')
    nats = NatsSettings(urls=(server.url,))

    for settings in (replace(nats, token="t0ken"), replace(nats, credentials="t0ken")):
        client = await connect(settings, name="test")
        await client.close()
    client = await connect(NatsSettings(urls=(server.url.replace("//", "//t0ken@"),)), name="test")
    await client.close()


@pytest.mark.parametrize("held", ["", "two words", "one\ntwo", "bin\x00ary"])
async def test_a_file_that_holds_none_of_them_is_refused_without_its_content(
    tmp_path: Path, held: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(held)
    with pytest.raises(ConfigError, match="holds neither a user JWT") as refused:
        await connect(NatsSettings(credentials=str(file)), name="test")
    assert not held or held not in str(refused.value)


async def test_an_nkey_seed_and_a_file_with_one(start_nats: StartNats, tmp_path: Path) -> None:
    user = user_key()
    server = start_nats(config=f"authorization {{ users: [{{ nkey: {user.public} }}] }}")
    path = tmp_path / "user.nk"
    path.write_text(f"# the user's seed\n{user.seed}\n")

    for credentials in (user.seed, str(path)):
        found = await user_of(NatsSettings(urls=(server.url,), credentials=credentials))
        assert found == user.public


async def test_a_creds_file(start_nats: StartNats, tmp_path: Path) -> None:
    tenant = make_tenant()
    server = start_nats(config=tenant.config)
    path = tmp_path / "user.creds"
    path.write_text(tenant.creds())
    nats = NatsSettings(urls=(server.url,), credentials=str(path))

    assert await user_of(nats) == tenant.user.public

    path.write_text(tenant.creds(signed_by=make_key(nkeys.PREFIX_BYTE_ACCOUNT)))
    with pytest.raises(AuthorizationFailed) as caught:
        await connect(nats, name="test")
    assert tenant.user.seed not in str(caught.value)


async def test_tls_with_an_authority_of_our_own(start_nats: StartNats, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    server = start_nats(config=made.server_config())
    for url in (server.url, server.url.replace("nats:", "tls:")):
        client = await connect(NatsSettings(urls=(url,), tls=TlsSettings(ca=made.ca)), name="test")
        await client.close()


async def test_a_client_certificate(start_nats: StartNats, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    server = start_nats(config=made.server_config(verify=True))
    tls = TlsSettings(ca=made.ca, cert=made.client_cert, key=made.client_key)
    client = await connect(NatsSettings(urls=(server.url,), tls=tls), name="test")
    await client.close()


def test_the_keys_of_this_test_are_real() -> None:
    user = user_key()
    pair = nkeys.from_seed(bytearray(user.seed.encode()))
    assert pair.verify(b"x", pair.sign(b"x"))
    assert base64.b32decode(user.public + "=" * (-len(user.public) % 8))[0] == nkeys.PREFIX_BYTE_USER
