"""Checker: what must always hold (DESIGN.md section 8), judged on a whole history. Pure, but for `collect`.

    history = await collect(swarm)                               # LOG, TASKS and REQUESTS of one H-id
    history = replace(history, handed_in=ids, jobs=read_jobs(p), slots={"w1": 2}, caps={"job": 3})
    assert not (found := check(history)), told(found)            # quiescent: everything has ended
    check(history, quiescent=False)                              # while it runs: nothing wrong so far
    [violation.rule for violation in found]                      # "lost task", "stale write", ...

The simulation asks the same rules at each append (`judge`).
"""

from .history import FOR_GOOD, History, JobRecord, Leftover, Violation, Written, told
from .whole import check

__all__ = ["FOR_GOOD", "History", "JobRecord", "Leftover", "Violation", "Written", "check", "told"]
