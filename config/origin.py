"""Where a setting came from."""

from dataclasses import dataclass
from typing import Literal

Source = Literal["flag", "environment", "file", "default"]

RANK: dict[Source, int] = {"default": 0, "file": 1, "environment": 2, "flag": 3}
"""Which source wins."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting's source; `detail` is the flag, the variable or `path:line`."""

    source: Source
    detail: str = ""

    def __str__(self) -> str:
        match self.source:
            case "default":
                return "default"
            case "file":
                return self.detail
            case _:
                return f"{self.source} {self.detail}"

    @property
    def rank(self) -> int:
        """Return how strong the source is; higher wins."""
        return RANK[self.source]


DEFAULT = Origin("default")
