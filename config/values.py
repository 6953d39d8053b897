"""From the text of any source to the value of a setting: one rule per kind, whatever the source."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from ..errors import ConfigError
from .durations import format_duration, parse_duration
from .keys import Key
from .models import check_model
from .names import ALIASES, canonical_capability, check_label, check_name
from .spelling import did_you_mean
from .urls import check_address, check_url

Raw = str | tuple[str, ...] | Mapping[str, str]
"""What a source holds: text (a comma list too), a YAML list or a YAML mapping of texts."""

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def parse_value(key: Key, raw: Raw) -> object:
    """Return the typed value. Raises ConfigError or NameRefused; a secret is never in the message."""
    if key.kind == "labels":
        return _labels(raw)
    if key.is_list:
        return _list(key, raw)
    if not isinstance(raw, str):
        raise ConfigError(
            f"the value is a {'list' if isinstance(raw, tuple) else 'mapping'}: give one text or number"
        )
    match key.kind:
        case "bool":
            return parse_bool(raw)
        case "int":
            return _int(key, raw)
        case "duration":
            return _duration(key, raw)
        case "choice":
            return _choice(key, raw)
        case "name":
            return check_name(raw, "the name")
        case "text":
            return _printable(raw)
        case "model":
            return check_model(raw)
        case "address":
            return check_address(raw)
        case _:  # path, token, credentials
            if not raw.strip():
                raise ConfigError("the value is empty: fill it in or leave the setting out")
            return _printable(raw)


def to_raw(value: object) -> Raw:
    """Return the text form of a value given by code or by the command line."""
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return format_duration(value)
        case str() | int() | float():
            return str(value)
        case Mapping():
            return {str(name): str(item) for name, item in value.items()}
        case list() | tuple():
            return tuple(str(item) for item in value)
        case _:
            return str(value)


def parse_bool(text: str) -> bool:
    """Read true/false, yes/no, on/off or 1/0. Raises ConfigError."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ConfigError(f"{shown(text)} is neither yes nor no: give true or false")


def shown(text: str) -> str:
    """Return the text in quotes, on one line, cut when it is long."""
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _printable(text: str) -> str:
    text = text.strip()
    if not text.isprintable():
        raise ConfigError("the value holds a line break or control character: take it out")
    return text


def _int(key: Key, text: str) -> int:
    low, high = int(key.minimum or 0), key.maximum
    bounds = f"give a whole number from {low} to {int(high)}" if high else f"give a whole number from {low}"
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip(), re.ASCII):
        raise ConfigError(f"{shown(text)} is not a number: {bounds}")
    number = int(text.strip())  # int itself takes off less
    if number < low or (high is not None and number > high):
        raise ConfigError(f"{number} is out of range: {bounds}")
    return number


def _duration(key: Key, text: str) -> timedelta:
    value = parse_duration(text)
    least = timedelta(seconds=key.minimum or 0)
    if value < least:
        raise ConfigError(f"{shown(text)} is too short: give at least {format_duration(least)}")
    return value


def _choice(key: Key, text: str) -> str:
    word = text.strip().lower()
    if word not in key.choices:
        hint = did_you_mean(word, key.choices)
        raise ConfigError(f"{shown(text)} is not one of {', '.join(key.choices)}{hint}")
    return word


def alias_notes(raw: Raw) -> tuple[str, ...]:
    """Return a word on each capability that was given by another name than the one on the wire."""
    items = raw.split(",") if isinstance(raw, str) else raw
    names = dict.fromkeys(item.strip().lower() for item in items)
    return tuple(
        f"capability {name} is another name for {ALIASES[name]}" for name in names if name in ALIASES
    )


def _list(key: Key, raw: Raw) -> tuple[str, ...]:
    if isinstance(raw, Mapping):
        raise ConfigError("the value is a mapping: give a list")
    items = tuple(raw.split(",")) if isinstance(raw, str) else raw
    if not any(item.strip() for item in items):
        raise ConfigError("the list is empty: name at least one or leave the setting out")
    if not all(item.strip() for item in items):
        raise ConfigError("the list has an empty entry: take out the surplus comma")
    read = _ENTRY[key.kind]
    return tuple(dict.fromkeys(read(item) for item in items))


def _variable(text: str) -> str:
    name = text.strip()
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        raise ConfigError(f"{shown(name)} is no name of an environment variable: name it as in HTTP_PROXY")
    if name.upper().endswith(("_API_KEY", "_AUTH_TOKEN")):
        raise ConfigError(
            f"{name} is the key of a service, and whatever a model writes could read it: leave it out"
        )
    return name


_ENTRY: Mapping[str, Callable[[str], str]] = {
    "capabilities": canonical_capability,
    "urls": check_url,
    "paths": _printable,
    "models": check_model,
    "variables": _variable,
}


def _labels(raw: Raw) -> dict[str, str]:
    if isinstance(raw, Mapping):
        pairs = list(raw.items())
    else:
        items = raw.split(",") if isinstance(raw, str) else raw
        if any("=" not in item for item in items):
            wrong = next(item for item in items if "=" not in item)
            raise ConfigError(f"{shown(wrong)} is not a label: write KEY=VALUE, such as region=us")
        pairs = [(name, value) for name, _, value in (item.partition("=") for item in items)]
    labels: dict[str, str] = {}
    for name, value in pairs:
        name, value = check_label(name, value)
        if labels.setdefault(name, value) != value:
            raise ConfigError(f"label {name!r} has two values: keep one")
    return labels
