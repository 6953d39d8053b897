"""The test server itself: what other tests build on."""

import nats
import pytest

from picoclaw.tests.support.nats import NatsServer, StartNats

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def test_what_is_stored_survives_a_kill_and_a_restart_on_the_same_port(start_nats: StartNats) -> None:
    server = start_nats()
    first, port = server.pid, server.port
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await client.jetstream().publish("kept", b"still here")
    await client.close()

    server.kill()
    assert not server.running
    server.restart()

    assert (server.port, server.pid != first) == (port, True)
    client = await nats.connect(server.url)
    message = await client.jetstream().get_last_msg("KEPT", "kept")
    assert message.data == b"still here"
    await client.close()


async def test_a_configuration_of_its_own(start_nats: StartNats, nats_server: NatsServer) -> None:
    server = start_nats(config="authorization { user: ann, password: secret }\n")

    client = await nats.connect(server.url_as("ann", "secret"))

    assert client.is_connected
    assert server.port != nats_server.port
    await client.close()


def test_a_server_that_cannot_start_says_why(start_nats: StartNats) -> None:
    with pytest.raises(AssertionError, match="nats-server ended with 1"):
        start_nats(config="no such setting\n")
