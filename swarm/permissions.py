"""What the server has forbidden on a connection.

NATS reports a forbidden subject beside the request, never as its answer, so the request itself only
times out. Whoever sees a time-out asks here whether that was the reason.
"""

import re
from collections.abc import Callable

from ..errors import PermissionDenied

_VIOLATION = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]+)\"", re.IGNORECASE)
_MOST = 1000
"""Subjects remembered; a forbidden subject with a new token each time must not fill the memory."""


class PermissionWatch:
    """The forbidden subjects of one connection.

    nats-py reports them in lower case, so they are compared without regard to case.
    """

    def __init__(self) -> None:
        self._denied: dict[str, str] = {}
        self._listeners: list[Callable[[str, str], None]] = []

    def listen(self, listener: Callable[[str, str], None]) -> Callable[[], None]:
        """Call `listener(subject, reason)` for each violation from now on; the subject is lower-cased.

        Returns what ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def note(self, error: str) -> bool:
        """Take in a server's error text; whether it was a permissions violation."""
        match = _VIOLATION.search(error)
        if match is None:
            return False
        verb = "publish to" if match[1].lower() == "publish" else "subscribe to"
        subject = match[2].lower()
        reason = f"this user may not {verb} it"
        self._denied.pop(subject, None)
        self._denied[subject] = verb
        if len(self._denied) > _MOST:
            del self._denied[next(iter(self._denied))]
        for listener in tuple(self._listeners):
            listener(subject, reason)
        return True

    def denial(self, subject: str) -> PermissionDenied | None:
        """Return the error to raise for that subject, or None: it was never forbidden."""
        verb = self._denied.get(subject.lower())
        if verb is None:
            return None
        return PermissionDenied(
            f"the NATS server does not let this user {verb} {subject}: grant it in the server's "
            "permissions (the swarm needs picoclaw.>, $JS.API.>, $JS.ACK.> and _INBOX.>), or use "
            "other --swarm.nats.credentials"
        )
