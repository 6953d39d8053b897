"""`picoclaw nats`: facts about the NATS server in use."""

import sys
from typing import TYPE_CHECKING

import click

from .flags import connection_flags, load_settings

if TYPE_CHECKING:
    from ..config.settings import NatsSettings


EPILOG = """\b
Examples:
  picoclaw nats url
  nats -s "$(picoclaw nats url)" stream ls

\b
Exit codes: 0 done, 2 wrong usage.
"""


@click.group(epilog=EPILOG)
def nats() -> None:
    """Facts about the NATS server in use."""


@nats.command(epilog=EPILOG)
@connection_flags
@click.pass_context
def url(ctx: click.Context) -> int:
    """Print the server's address with credentials, for other tools: nats -s "$(picoclaw nats url)" …"""
    from ..swarm.locate import locate

    loaded = load_settings(ctx)
    found = locate(loaded)
    addresses, advice = with_credentials(found.nats)
    if sys.stdout.isatty() and any("@" in address for address in addresses):
        click.echo("This is a secret: whoever has it can read and change everything in the swarm.", err=True)
    if advice:
        click.echo(advice, err=True)
    if loaded.origins["swarm.nats.urls"].source == "default":
        click.echo(f"({found.source})", err=True)
    click.echo(",".join(addresses))
    return 0


def with_credentials(nats: "NatsSettings") -> tuple[list[str], str]:
    """Return the addresses with the credentials that an address can carry, and a word on any other."""
    from ..config.credentials import credentials_form

    value = nats.credentials if nats.credentials is not None else nats.token
    if value is None:
        return list(nats.urls), ""
    form = "token" if nats.credentials is None else credentials_form(value)
    if form == "file":
        return list(nats.urls), f"The credentials are in a file: give other tools --creds {value}"
    if form == "seed":
        return list(
            nats.urls
        ), "The credentials are an nkey seed: give other tools --nkey with a file that holds it"
    user, colon, password = value.partition(":")
    userinfo = f"{_quoted(user)}:{_quoted(password)}" if form == "user_password" and colon else _quoted(value)
    addresses = []
    for address in nats.urls:
        scheme, _, rest = address.partition("://")
        addresses.append(address if "@" in rest else f"{scheme}://{userinfo}@{rest}")
    return addresses, ""


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
