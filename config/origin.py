"""Where a setting came from."""

from dataclasses import dataclass
from typing import Literal

Source = Literal["flag", "environment", "file", "profile", "default"]

RANK: dict[Source, int] = {"default": 0, "profile": 1, "file": 2, "environment": 3, "flag": 4}
"""Which source wins."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting's source; `detail` is the flag, the variable, `path:line` or the profile."""

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

    @property
    def explicit(self) -> bool:
        """Whether somebody spoke of this very setting, be it to give its default."""
        return self.rank > RANK["profile"]


DEFAULT = Origin("default")
