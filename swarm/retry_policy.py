"""The retry policy of a task: what the request, its plan and its capability say of it, merged. Pure.

What is said nearer to the request wins, value by value: its options, then the task of the plan, then
the capability's definition, then the defaults. Patterns of final errors add up.
"""

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from .records import Request, Retry, Task
from .rules import FIRST_PAUSE, LONGEST_PAUSE, backoff

WILDCARDS = frozenset("*?")


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for the attempts at one task on one node."""

    attempts: int | None
    """Limit by the capability's definition; None: the task's own."""
    first: timedelta
    longest: timedelta
    final: tuple[str, ...]

    def pause(self, attempt: int) -> timedelta:
        """Return the pause after `attempt` (from 1) failed."""
        return backoff(attempt, first=self.first, longest=self.longest)

    def is_final(self, error: str) -> bool:
        """Return whether no further attempt can mend an error."""
        return any(fits(pattern, error) for pattern in self.final)


def merge(nearer: Retry | None, farther: Retry | None) -> Retry | None:
    """Return one policy of two, of which the first wins where both say something."""
    if nearer is None or farther is None:
        return nearer or farther
    return Retry(
        attempts=farther.attempts if nearer.attempts is None else nearer.attempts,
        first_s=farther.first_s if nearer.first_s is None else nearer.first_s,
        longest_s=farther.longest_s if nearer.longest_s is None else nearer.longest_s,
        final=tuple(dict.fromkeys((*nearer.final, *farther.final))),
    )


def of_task(request: Request, task: Task) -> Task:
    """Return a task of the plan as it goes to a worker: with the policy of its request before its own.

    `retry.attempts` is set only where somebody named a limit; `max_attempts` always is one.
    """
    said = merge(request.retry, task.retry)
    named = request.max_attempts if request.max_attempts is not None else said.attempts if said else None
    if named is None:
        return task if said == task.retry else task.model_copy(update={"retry": said})
    retry = (said or Retry()).model_copy(update={"attempts": named})
    if task.max_attempts == named and task.retry == retry:
        return task
    return task.model_copy(update={"max_attempts": named, "retry": retry})


def policy_of(task: Task, kind: Retry | None) -> Policy:
    """Return what holds for a task as its worker got it; `kind`: what its capability's definition says."""
    said = merge(task.retry, kind) or Retry()
    named = task.retry is not None and task.retry.attempts is not None
    first = FIRST_PAUSE if said.first_s is None else timedelta(seconds=said.first_s)
    # Whoever asks for a long first pause does not want it cut by a limit that nobody set.
    longest = max(LONGEST_PAUSE, first) if said.longest_s is None else timedelta(seconds=said.longest_s)
    return Policy(None if named else said.attempts, first, longest, said.final)


def fits(pattern: str, error: str) -> bool:
    """Return whether a pattern fits an error's text, in one line and whatever its case.

    `*` and `?` are as in a shell, and nothing else is: errors hold brackets. A pattern without either
    fits each text that holds it.
    """
    line, wanted = (" ".join(text.split()).casefold() for text in (error, pattern))
    if not WILDCARDS & set(wanted):
        return wanted in line
    return fnmatchcase(line, wanted.replace("[", "[[]"))
