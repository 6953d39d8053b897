"""What `swarm.nats.credentials` may be: a file, an nkey seed, `user:password` or a token."""

import re
from pathlib import Path
from typing import Literal

from ..errors import ConfigError

_SEED = re.compile(r"SU[A-Z2-7]{56}")
"""An nkey user seed: https://docs.nats.io/running-a-nats-service/nats_admin/security/jwt (58 characters)."""
_FILE_ENDINGS = (".creds", ".nk", ".nkey", ".seed", ".jwt", ".txt")

CredentialsForm = Literal["file", "seed", "user_password", "token"]


def credentials_form(value: str) -> CredentialsForm:
    """Tell what a checked value of `swarm.nats.credentials` is; a file is always an absolute path."""
    if _SEED.fullmatch(value):
        return "seed"
    if value.startswith("/"):
        return "file"
    return "user_password" if ":" in value else "token"


def resolve_credentials(value: str, base: Path, home: Path) -> str:
    """Return the value, a file as its absolute path; relative ones count from `base`.

    What looks like a path must be a file that can be read; anything else is taken as it is. The
    value is never part of the message, since a mistaken guess would print a secret. Raises
    ConfigError.
    """
    if _SEED.fullmatch(value):
        return value
    path = resolve_path(value, base, home)
    looks_like_path = value.startswith(("/", "./", "../", "~/")) or value.endswith(_FILE_ENDINGS)
    if not looks_like_path and ":" in value:
        return value
    if looks_like_path or "/" in value or _is_file(path):
        check_file(path, "the credentials file", "check the path; a token goes in swarm.nats.token")
        return str(path)
    return value


def resolve_path(value: str, base: Path, home: Path) -> Path:
    """Return an absolute path: `~` is `home`, relative ones count from `base`."""
    if value == "~" or value.startswith("~/"):
        return home / value[2:]
    return base / value


def check_file(path: Path, what: str, advice: str) -> None:
    """Raise ConfigError, without showing the path, unless it is a file that can be read."""
    try:
        with path.open("rb"):
            return
    except (FileNotFoundError, NotADirectoryError, ValueError):
        problem = "is not there"
    except IsADirectoryError:
        problem = "is a folder"
    except PermissionError:
        problem = "cannot be read by this user"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    raise ConfigError(f"{what} {problem}: {advice}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a token may be too long for a file name
        return False
