"""The words of a connection: credentials, permissions, versions, causes."""

import ssl
from pathlib import Path
from urllib.parse import urlparse

import nats.errors
import pytest
from nats.aio.client import Server

from picoclaw.config.settings import NatsSettings
from picoclaw.errors import AuthorizationFailed, ConfigError, NoServer, PicoclawError, TlsFailed
from picoclaw.swarm.connection import choose_server
from picoclaw.swarm.credentials import auth_options
from picoclaw.swarm.failures import diagnose
from picoclaw.swarm.permissions import PermissionWatch
from picoclaw.swarm.server_version import MINIMUM, format_version, parse_version

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

SEED = "SU" + "A" * 56


def words(cause: BaseException, url: str = "nats://localhost:4222", source: str = "") -> PicoclawError:
    return diagnose(
        cause, url, source=source, has_credentials=False, tls_given=False, certificate_wanted=False
    )


def test_a_refused_default_address_names_the_embedded_server() -> None:
    error = words(
        ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 4222)"), source="the default"
    )

    assert type(error) is NoServer
    assert str(error) == (
        "no NATS server answers at nats://localhost:4222 (the default): connection refused. Start one with "
        "`nats-server -js`, or start a node that brings its own: `picoclaw --swarm.role coordinator "
        "--swarm.nats.embedded`"
    )


def test_several_refused_addresses_of_one_host_read_as_one() -> None:
    error = words(
        OSError(
            "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect call ('1', 1)"
        )
    )

    assert "connection refused. Start" in str(error)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (nats.errors.Error("nats: 'Authorization Violation'"), AuthorizationFailed),
        (nats.errors.Error("nats: 'user authentication expired'"), AuthorizationFailed),
        (nats.errors.AuthorizationError(), AuthorizationFailed),
        (nats.errors.Error("nats: 'maximum connections exceeded'"), NoServer),
        (ssl.SSLError(1, "wrong version number"), TlsFailed),
        (nats.errors.SecureConnWantedError(), TlsFailed),
        (TimeoutError(), NoServer),
        (OSError("odd"), NoServer),
        (ImportError("aiohttp"), ConfigError),
    ],
)
def test_each_cause_has_its_error_and_no_password(cause: Exception, kind: type[Exception]) -> None:
    error = words(cause, "nats://ann:s3cret@host:4222")

    assert type(error) is kind
    assert "nats://***@host:4222" in str(error)
    assert "s3cret" not in str(error)


def test_an_expired_user_is_told_so() -> None:
    assert "have expired" in str(words(nats.errors.Error("nats: 'user authentication expired'")))


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (NatsSettings(), {}),
        (NatsSettings(token="t"), {"token": "t"}),
        (NatsSettings(credentials="t"), {"token": "t"}),
        (NatsSettings(credentials="u:p:q"), {"user": "u", "password": "p:q"}),
        (NatsSettings(credentials=SEED), {"nkeys_seed_str": SEED}),
        (NatsSettings(credentials="u:p", token="t"), {"user": "u", "password": "p"}),
    ],
)
def test_credentials_become_options(settings: NatsSettings, options: dict[str, str]) -> None:
    assert auth_options(settings) == options


def test_files_with_credentials_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    creds, seed = tmp_path / "a", tmp_path / "b"
    creds.write_text("-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n")
    seed.write_text(f"\n  {SEED}  \n")

    assert auth_options(NatsSettings(credentials=str(creds))) == {"user_credentials": creds}
    assert auth_options(NatsSettings(credentials=str(seed))) == {"nkeys_seed_str": SEED}


@pytest.mark.parametrize(
    "content", [b"", b"it is hunter2", b"\xff\xfe\x00", f"{SEED}\n{SEED}\n".encode(), None]
)
def test_a_file_without_credentials_is_refused_and_not_quoted(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "user.creds"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        auth_options(NatsSettings(credentials=str(path)))

    assert str(path) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert SEED not in str(caught.value)


def test_attempts_are_spread_in_time_and_over_servers() -> None:
    servers = [Server(urlparse(f"nats://host-{number}:4222"), reconnects=number // 2) for number in range(4)]

    first = [choose_server(servers, 1) for _ in range(200)]
    later = [choose_server(servers, 7) for _ in range(200)]

    assert {server.uri.hostname for server, _ in first} == {"host-0", "host-1"}
    assert all(0 <= delay <= 0.1 for _, delay in first)
    assert all(0.25 <= delay <= 0.5 for _, delay in later)
    assert max(delay for _, delay in later) - min(delay for _, delay in later) > 0.1


def test_a_permission_watch_remembers_what_was_forbidden_and_how() -> None:
    watch = PermissionWatch()

    assert watch.note('nats: permissions violation for publish to "picoclaw.h.log.r._"')
    assert watch.note('nats: Permissions Violation for Subscription to "picoclaw.h.>" using queue "q"')
    assert not watch.note("nats: 'stale connection'")

    assert "publish to picoclaw.H.log.r._" in str(watch.denial("picoclaw.H.log.r._"))
    assert "subscribe to picoclaw.h.>" in str(watch.denial("picoclaw.h.>"))
    assert watch.denial("picoclaw.h.other") is None


def test_a_permission_watch_does_not_grow_for_ever() -> None:
    watch = PermissionWatch()
    for number in range(3000):
        watch.note(f'permissions violation for publish to "s.{number}"')

    assert watch.denial("s.0") is None
    assert watch.denial("s.2999") is not None
    assert len(watch._denied) == 1000


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.15.1", (2, 15, 1)),
        ("v2.12.0-RC.3", (2, 12, 0)),
        ("2.12", (2, 12, 0)),
        ("2.12.1+build", (2, 12, 1)),
        ("", (0, 0, 0)),
        ("later", (0, 0, 0)),
    ],
)
def test_versions_are_read(text: str, version: tuple[int, int, int]) -> None:
    assert parse_version(text) == version


def test_versions_are_compared_as_numbers() -> None:
    assert parse_version("2.9.25") < MINIMUM < parse_version("2.100.0")
    assert format_version((2, 12, 0)) == "2.12"
    assert format_version((2, 12, 1)) == "2.12.1"
