"""Foreign messages: what somebody else wrote on our subjects, named in the log in one form.

Whoever may write there may do so a thousand times a second, and each of us reads it: a process's log
shows such lines at once and then the number of them (`cli.logs.sparing`).
"""

import logging

MARK = "foreign"
"""Attribute of the log records that tell of such a message: the subject it stood on."""


def warn_foreign(log: logging.Logger, where: str, error: object) -> None:
    """Log a message that is none of ours; `where` names its subject or bucket."""
    log.warning("foreign message on %s: %s", where, error, extra={MARK: where})


def refused(log: logging.Logger, where: str, why: object, *, what: str = "") -> None:
    """Log a message that was taken off a queue and is none of ours; `what` it was, unless its subject tells."""
    log.error("%s refused: %s", what or f"message on {where}", why, extra={MARK: where})
