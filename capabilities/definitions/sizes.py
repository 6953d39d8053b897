"""Sizes as people write them: `512KB`, `64MB`, `2GB`, or a number of bytes."""

import re

from ...errors import ConfigError

_SIZE = re.compile(r"(\d{1,15})\s*([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_size(text: str) -> int:
    """Return a size in bytes; units are powers of 1024. Raises ConfigError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise ConfigError(f"{text[:60]!r} is not a size: write for example 512KB, 64MB or 2GB")
    return int(found[1]) * _UNITS[found[2].upper()]


def format_size(size: int) -> str:
    """Return a size for people: `512 KB`, `1.5 MB`."""
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"
