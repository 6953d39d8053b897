"""Closed: what this process holds, its environment with the keys above all, is not for others of the same user."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def close_to_others() -> None:
    """Keep processes of the same user from reading this one's memory and environment, and from tracing it.

    On Linux; root reads it all the same. Without a sandbox an agent's command is such a process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
