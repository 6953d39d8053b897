"""NATS addresses: what is accepted, and how one is shown without its password."""

import re
from urllib.parse import urlsplit

from ..errors import ConfigError

SCHEMES = ("nats", "tls", "ws", "wss")
DEFAULT_PORT = 4222


def redact_url(url: str) -> str:
    """Return the address with its user, password or token replaced by `***`."""
    head, at, rest = url.rpartition("@")
    if at:
        scheme, separator, _ = head.partition("://")
        return f"{scheme}://***@{rest}" if separator else f"***@{rest}"
    # A comma in a password cuts an address in two: what is left of it stands where a port would.
    scheme, separator, rest = url.rpartition("://")
    host, colon, port = rest.partition(":")
    if (
        colon
        and "/" not in host
        and not host.startswith("[")
        and not re.fullmatch(r"\d*(/.*)?", port, re.DOTALL)
    ):
        return f"{scheme}{separator}{host}:***"
    return url


def check_url(url: str) -> str:
    """Return the address, stripped. Credentials inside it are allowed and never shown.

    Raises ConfigError for an empty address, no or another scheme, no host, a bad port.
    """
    url = url.strip()
    if not url:
        raise ConfigError("an address is empty: give one such as nats://localhost:4222")
    shown = repr(redact_url(url))
    if "://" not in url:
        raise ConfigError(f"{shown} has no scheme: write nats://{redact_url(url)}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(
            f"{shown} has no valid host and port: write it as nats://HOST:PORT, and a comma in a password as %2C"
        ) from None
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"{shown} has a scheme that NATS does not speak: use {', '.join(SCHEMES)}")
    if not parts.hostname or any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigError(f"{shown} has no valid host: write it as {parts.scheme}://HOST:PORT")
    if port == 0:
        raise ConfigError(f"{shown} has port 0: give a port from 1 to 65535")
    return url


def check_address(url: str) -> str:
    """Return the `http` or `https` address of a model's provider, stripped, without a slash at its end.

    Raises ConfigError for another scheme, no host, a bad port, a query.
    """
    url = url.strip()
    shown = repr(redact_url(url))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{shown} has no valid host and port: write it as https://HOST:PORT/PATH") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError(f"{shown} is no address of a provider: write http://HOST:PORT or https://HOST/PATH")
    if parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigError(f"{shown} holds more than an address: leave out all after its path")
    return url.rstrip("/")


def is_default_address(url: str) -> bool:
    """Whether it names this machine's server on the default port, where an embedded one may stand."""
    parts = urlsplit(url)
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme == "nats" and here and (parts.port or DEFAULT_PORT) == DEFAULT_PORT
