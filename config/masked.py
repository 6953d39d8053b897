"""What may be shown of a setting: no secret, no password of an address."""

from datetime import timedelta
from pathlib import Path

from .credentials import credentials_form
from .durations import format_duration
from .keys import Key
from .urls import redact_url

MASK = "***"

_FORMS = {"file": "a file", "seed": "an nkey seed", "user_password": "user:password", "token": "a token"}


def masked(key: Key, value: object) -> object:
    """Return the value as JSON can hold it, durations as people write them, secrets as `***`.

    `value` is one that was loaded. Of credentials their form is told.
    """
    match value:
        case None:
            return None
        case str() if key.kind == "credentials":
            return f"{MASK} ({_FORMS[credentials_form(value)]})"
        case _ if key.secret:
            return MASK
        case timedelta():
            return format_duration(value)
        case Path():
            return str(value)
        case tuple():
            return [masked(key, item) for item in value]
        case str() if key.kind in ("urls", "text", "address"):
            return redact_url(value)
        case dict():
            return dict(value)
        case _:
            return value
