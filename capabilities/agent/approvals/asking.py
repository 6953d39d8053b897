"""Questions to people: what an agent asks for, and what it is answered. Pure."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

About = Literal["tool", "uncertain", "budget"]
"""A use of a tool; a step whose effect nobody knows after a crash; a limit that was reached."""

Verdict = Literal["allow", "deny", "skip"]
"""`allow`: do it (a tool, an uncertain step again, more than the budget). `deny`: do not (an uncertain
step ends the task, a spent budget wraps it up). `skip`: only of an uncertain step: go on without it."""

WAITS = "waits for approval: "
"""How the progress of a task begins that asks."""
USUAL_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One question, bound to a task, a step of its journal and exactly what that step would do."""

    about: About
    number: int
    """The step in the task's journal; 0 where it has none."""
    digest: str
    """SHA-256 in hex of all that the step depends on: the answer is for this and nothing else."""
    tool: str = ""
    call: str = ""
    """The id of the model's call."""
    text: str
    """What would be done, for people: the command line, the path, the amount."""
    rules: tuple[str, ...] = ()
    """The rules of the policy that ask, in words; `--always` answers for each of these in this task."""
    expires: timedelta = USUAL_WAIT
    """Unanswered for so long, it is denied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody said to a question."""

    verdict: Verdict
    by: str
    """Who: a person's name, or the expiry, or an earlier `--always`."""
    why: str = ""
    id: str = ""


def asking_id(task: str, asking: Asking) -> str:
    """Return the id of a question: the same question of the same task is the same one, after a crash too."""
    said = "\0".join((task, asking.about, str(asking.number), asking.call, asking.digest))
    return (
        "a-"
        + base64.b32encode(hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()[:8])
        .decode()[:12]
        .lower()
    )
