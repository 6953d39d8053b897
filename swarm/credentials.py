"""What a NATS connection shows to be let in, as nats-py's options."""

import re
from pathlib import Path
from typing import Any

from ..config.credentials import credentials_form
from ..config.settings import NatsSettings
from ..errors import ConfigError

_SEED_LINE = re.compile(r"^\s*(SU[A-Z2-7]{56})\s*$", re.MULTILINE)
_CREDS_MARK = "BEGIN NATS USER JWT"


def auth_options(nats: NatsSettings) -> dict[str, Any]:
    """Return nats-py's options for the settings' credentials; empty when there are none.

    Credentials win over the token, and both over what stands in an address. Raises ConfigError,
    without the secret, for a file that cannot be read or holds neither a JWT nor an nkey seed.
    """
    value = nats.credentials
    if value is None:
        return {"token": nats.token} if nats.token is not None else {}
    match credentials_form(value):
        case "file":
            return _from_file(Path(value))
        case "seed":
            return {"nkeys_seed_str": value}
        case "user_password":
            user, _, password = value.partition(":")
            return {"user": user, "password": password}
        case "token":
            return {"token": value}


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
    if len(seeds) != 1:
        raise ConfigError(
            f"swarm.nats.credentials: the file {path} holds neither a user JWT (a .creds file) nor one nkey "
            "user seed (SU…): make one with `nsc generate creds` or `nk -gen user`"
        )
    return {"nkeys_seed_str": seeds[0]}


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "input/output error" if isinstance(error, OSError) else "it is not text"
