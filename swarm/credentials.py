"""What a NATS connection shows to be let in, as nats-py's options."""

import re
from pathlib import Path
from typing import Any

from ..config.credentials import credentials_form
from ..config.settings import NatsSettings
from ..errors import ConfigError

_SEED_LINE = re.compile(r"^\s*(SU[A-Z2-7]{56})\s*$", re.MULTILINE)
_ONE_WORD = re.compile(r"\s*[!-~]{1,4096}\s*")
"""A token, or `user:password`, alone in its file."""
_CREDS_MARK = "BEGIN NATS USER JWT"


def auth_options(nats: NatsSettings) -> dict[str, Any]:
    """Return nats-py's options for the settings' credentials; empty when there are none.

    Credentials win over the token, and both over what stands in an address. Raises ConfigError,
    without the secret, for a file that cannot be read or holds none of what a server may ask for.
    """
    value = nats.credentials
    if value is None:
        return {"token": nats.token} if nats.token is not None else {}
    match credentials_form(value):
        case "file":
            return _from_file(Path(value))
        case "seed":
            return {"nkeys_seed_str": value}
        case "user_password" | "token":
            return _secret(value)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"swarm.nats.credentials: the file {path} cannot be read ({_why(error)}): check the path and its mode"
        ) from None
    if _CREDS_MARK in text:
        return {"user_credentials": path}
    seeds = _SEED_LINE.findall(text)
    if len(seeds) == 1:
        return {"nkeys_seed_str": seeds[0]}
    if _ONE_WORD.fullmatch(text) and not seeds:
        return _secret(text.strip())
    raise ConfigError(
        f"swarm.nats.credentials: the file {path} holds neither a user JWT (a .creds file) nor one nkey "
        "user seed (SU…) nor one line with a token or user:password: make one with `nsc generate creds` "
        "or `nk -gen user`"
    )


def _secret(value: str) -> dict[str, Any]:
    """Return the options for what stands for itself."""
    user, colon, password = value.partition(":")
    return {"user": user, "password": password} if colon else {"token": value}


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "input/output error" if isinstance(error, OSError) else "it is not text"
