"""Approval record: a question and, once somebody gave it, the answer."""

from typing import ClassVar, Literal

from ..records import Record

Verdict = Literal["allow", "deny", "skip"]


class ApprovalRecord(Record):
    """One question of one task, bound to exactly what would be done."""

    kind_name: ClassVar[str] = "approval"
    id: str
    request: str
    step: str
    about: Literal["tool", "uncertain", "budget"]
    number: int
    """The step of the task's journal."""
    digest: str
    """SHA-256 in hex of all that the step depends on."""
    tool: str = ""
    call: str = ""
    text: str
    """What would be done, for people."""
    rules: tuple[str, ...] = ()
    """The rules that ask."""
    node: str
    """Where the task ran when it asked."""
    asked_at: float
    """Server time."""
    expires_at: float
    """Server time; from then on it counts as denied."""
    verdict: Verdict | None = None
    """None: nobody has answered."""
    by: str = ""
    why: str = ""
    always: bool = False
    """The answer is for all that these rules ask of this task."""
    answered_at: float | None = None

    @property
    def task(self) -> str:
        return f"{self.request}.{self.step}"

    def open(self, now: float) -> bool:
        """Return whether it still waits for an answer; `now` is server time."""
        return self.verdict is None and now < self.expires_at
