"""Masking: the secrets that a child was given do not come back in what it prints. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

_SECRET_NAME = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|COOKIE|_PWD$|_PAT$", re.IGNORECASE
)
SHORTEST = 6
"""Characters: shorter values are no secrets worth the name, and stand in any text by chance."""
MASK = "***"


@dataclass(frozen=True, slots=True)
class Mask:
    """Replaces secrets by `***`."""

    secrets: tuple[str, ...] = ()
    """Longest first, so that one which holds another goes whole."""

    def text(self, text: str) -> str:
        """Return a text without them."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text

    def data(self, data: bytes) -> bytes:
        """Return bytes without them."""
        for secret in self.secrets:
            data = data.replace(secret.encode("utf-8", "surrogateescape"), MASK.encode())
        return data

    def value(self, value: JsonValue) -> JsonValue:
        """Return a JSON value without them."""
        if not self.secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(entry) for entry in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(entry) for name, entry in value.items()}
        return value


def mask_for(given: Mapping[str, str]) -> Mask:
    """Return the mask for the variables that a child is given: those whose name says secret."""
    values = {value for name, value in given.items() if _SECRET_NAME.search(name) and len(value) >= SHORTEST}
    return Mask(tuple(sorted(values, key=lambda value: (-len(value), value))))
