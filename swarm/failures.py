"""Why a connection attempt failed, as one of our errors, in words."""

import asyncio
import os
import re
import ssl
from urllib.parse import urlsplit

import nats.errors

from ..config.urls import is_default_address, redact_url
from ..errors import AuthorizationFailed, ConfigError, ConnectError, NoServer, PicoclawError, TlsFailed

_REFUSED = re.compile(
    r"authorization violation|authentication|authorization failed|expired|revoked", re.IGNORECASE
)
_BROKEN_OFF = (ConnectionError, asyncio.IncompleteReadError, nats.errors.StaleConnectionError)
_CERTIFICATE_WANTED = re.compile(r"certificate[ _]required|bad[ _]certificate|unknown[ _]ca", re.IGNORECASE)


def diagnose(
    cause: BaseException,
    url: str,
    *,
    source: str,
    has_credentials: bool,
    tls_given: bool,
    certificate_wanted: bool,
) -> PicoclawError:
    """Return our error for what nats-py met at `url`; only NoServer is worth waiting for.

    `source` says where the address came from, "" when that needs no word; `certificate_wanted` that the
    server's greeting demanded a client certificate.
    """
    at = f"{redact_url(url)}{f' ({source})' if source else ''}"
    text = str(cause)
    if isinstance(cause, PicoclawError):
        return cause
    if isinstance(cause, ssl.SSLError | nats.errors.SecureConnWantedError):
        return _tls(cause, at)
    if isinstance(cause, nats.errors.AuthorizationError) or (
        isinstance(cause, nats.errors.Error) and _REFUSED.search(text)
    ):
        return _authorization(text, at, has_credentials, own_server(url))
    if isinstance(cause, ImportError):
        return ConfigError(
            f"{at}: ws:// and wss:// addresses need a further package: `pip install aiohttp`, or use nats:// or tls://"
        )
    if (
        certificate_wanted
        and isinstance(cause, _BROKEN_OFF)
        and not isinstance(cause, ConnectionRefusedError)
    ):
        # TLS 1.3 refuses a client's certificate after the handshake, and asyncio loses the alert that says so.
        return _certificate_refused(at)
    return NoServer(f"no NATS server answers at {at}: {_reason(cause)}. {_next_step(url, tls_given)}")


def own_server(url: str) -> str:
    """Return what to do where a server of somebody else has the default port; "" elsewhere."""
    if not is_default_address(url):
        return ""
    return "; if that server is not yours, share one of your own with --swarm.nats.embedded"


def _authorization(text: str, at: str, has_credentials: bool, own: str) -> ConnectError:
    if "expired" in text.lower():
        return AuthorizationFailed(
            f"the NATS server at {at} says that these credentials have expired: get new ones for "
            "--swarm.nats.credentials"
        )
    if has_credentials:
        return AuthorizationFailed(
            f"the NATS server at {at} refused these credentials: check --swarm.nats.credentials or "
            f"--swarm.nats.token against what the server accepts{own}"
        )
    give = (
        "give --swarm.nats.credentials (a .creds file, an nkey seed or user:password) or --swarm.nats.token"
    )
    if own:  # most likely you have none running, and this is a neighbour's
        give = (
            "if it is not yours, start a swarm of your own with `picoclaw --swarm.role coordinator "
            f"--swarm.nats.embedded`; else {give}"
        )
    return AuthorizationFailed(f"the NATS server at {at} wants credentials and none were given: {give}")


def _tls(cause: BaseException, at: str) -> ConnectError:
    if isinstance(cause, nats.errors.SecureConnWantedError):
        return TlsFailed(
            f"TLS was asked for, and the server at {at} offers none: nothing was sent to it. Switch TLS on in "
            "the server, or use nats:// without --swarm.nats.tls.*"
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TlsFailed(
            f"the certificate of the server at {at} is not trusted: {cause.verify_message}. Name the authority "
            "that signed it with --swarm.nats.tls.ca, and use a host name that stands in the certificate"
        )
    if _CERTIFICATE_WANTED.search(str(cause)):
        return _certificate_refused(at)
    return TlsFailed(
        f"the TLS handshake with {at} failed ({getattr(cause, 'reason', None) or type(cause).__name__}): check "
        "the server's TLS versions and --swarm.nats.tls.*"
    )


def _certificate_refused(at: str) -> ConnectError:
    return TlsFailed(
        f"the server at {at} demands a client certificate that it trusts: give --swarm.nats.tls.cert and "
        "--swarm.nats.tls.key, signed by an authority that the server knows"
    )


def _reason(cause: BaseException) -> str:
    match cause:
        case ConnectionRefusedError():
            return "connection refused"
        case asyncio.TimeoutError():
            return "it takes connections and says nothing, or a firewall drops them"
        case nats.errors.Error():
            return str(cause).removeprefix("nats: ")
        case OSError() if cause.errno and cause.strerror:
            return os.strerror(cause.errno).lower() if cause.errno > 0 else cause.strerror.lower()
        case OSError() if numbers := set(re.findall(r"\[Errno (\d+)\]", str(cause))):
            # asyncio found several addresses for the host and tells what happened at each.
            return ", ".join(os.strerror(int(number)).lower() for number in sorted(numbers))
        case _:
            return str(cause) or type(cause).__name__


def _next_step(url: str, tls_given: bool) -> str:
    if is_default_address(url) and not tls_given:
        return (
            "Start one with `nats-server -js`, or start a node that brings its own: `picoclaw --swarm.role "
            "coordinator --swarm.nats.embedded`"
        )
    parts = urlsplit(url)
    return (
        f"Check the address, that a server runs there, and that port {parts.port or 4222} is open; another "
        "address goes in --swarm.nats.urls"
    )
