"""The line that is being typed at a terminal: Ctrl-C clears it, where there is one."""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

_LOCAL_FLAGS = 3
"""Where `tcgetattr` has them."""


def in_foreground() -> bool:
    """Return whether this process may set its terminal: one in the background would be stopped for it."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False


@contextmanager
def kept_at_ctrl_c() -> Iterator[None]:
    """Have the terminal keep a half-typed line when Ctrl-C is pressed, so that it can be told of one."""
    changed = _change(on=termios.NOFLSH)
    try:
        yield
    finally:
        if changed:
            _change(off=termios.NOFLSH)


def clear_typed_line() -> bool:
    """Throw away what is typed and not sent yet; return whether there was anything.

    A terminal gives a line away only when it is whole; out of that mode it gives what there is.
    """
    if not in_foreground():
        return False
    number = sys.stdin.fileno()
    if not _change(off=termios.ICANON):
        return False
    try:
        os.set_blocking(number, False)
        try:
            return bool(os.read(number, 65_536))
        except BlockingIOError:
            return False
        finally:
            os.set_blocking(number, True)
    except OSError:  # the terminal has gone
        return False
    finally:
        _change(on=termios.ICANON)


def _change(*, on: int = 0, off: int = 0) -> bool:
    """Switch local flags of the terminal; return False where it cannot be done or they are so already."""
    if not in_foreground():
        return False
    try:
        attributes = termios.tcgetattr(sys.stdin.fileno())
        wanted = (attributes[_LOCAL_FLAGS] | on) & ~off
        if wanted == attributes[_LOCAL_FLAGS]:
            return False
        attributes[_LOCAL_FLAGS] = wanted
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, attributes)
    except (OSError, termios.error):  # the terminal has gone
        return False
    return True
