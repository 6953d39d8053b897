"""What a server was asked, so that a test, or a person, can count the turns."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

KEPT = 10_000
"""Calls that are listed; the figures count all."""

State = Literal["asked", "answered", "cut", "left", "error"]
"""Under way; answered to the end; cut off by the script; given up by the client; refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question."""

    number: int
    protocol: str
    path: str
    key: str
    """A digest of the key: the same for the same key; empty without one."""
    digest: str = ""
    """SHA-256 of the question's JSON, its keys in order: the same for the same question."""
    model: str = ""
    turn: int = 0
    stream: bool = False
    rule: str = ""
    state: State = "asked"
    status: int = 0
    billed: bool = False
    """Whether a provider would charge for it: the model began to answer."""
    input: int = 0
    output: int = 0


class Ledger:
    """The calls of one server, in the order in which they came."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._order: deque[int] = deque()
        self.total = 0
        self.used: dict[str, int] = {}
        """How often each rule has answered."""
        self.billed = 0
        """Questions that a provider would charge for."""

    def open(self, *, protocol: str, path: str, key: str) -> int:
        """Write a call down, and return its number."""
        self.total += 1
        self._calls[self.total] = Call(number=self.total, protocol=protocol, path=path, key=key)
        self._order.append(self.total)
        if len(self._order) > KEPT:
            self._calls.pop(self._order.popleft(), None)
        return self.total

    def note(self, number: int, **changed: Any) -> None:
        """Change what is known of a call."""
        self.billed += bool(changed.get("billed"))
        if number in self._calls:
            self._calls[number] = replace(self._calls[number], **changed)

    def answered_by(self, rule: str) -> None:
        """Count one answer of a rule."""
        self.used[rule] = self.used.get(rule, 0) + 1

    def clear(self) -> None:
        """Forget all calls; rules that answer so many times begin anew."""
        self._calls.clear()
        self._order.clear()
        self.used.clear()
        self.total = self.billed = 0

    def as_json(self) -> Mapping[str, Any]:
        """Return what `GET /_calls` shows."""
        return {
            "total": self.total,
            "billed": self.billed,
            "rules": self.used,
            "calls": [asdict(self._calls[number]) for number in self._order],
        }
