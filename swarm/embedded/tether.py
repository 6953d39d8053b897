"""Run a program for as long as somebody holds the other end of our standard input.

    python -I -S tether.py FOLDER PROGRAM ARGUMENT…

When a byte comes on standard input, or it ends (its writer was killed in whatever way), or on SIGTERM, the
program is told to end, killed 2 s later, and FOLDER is removed. It is a file of its own with little
to import, so that it is up in a few milliseconds and depends on nothing of its parent.
"""

import os
import select
import shutil
import signal
import sys
import time

_GRACE = 2.0
_LINGER = 2.5
"""Seconds after its end was seen within which whoever worked in the folder has ended too (cli/local/node.py)."""


def main(folder: str, argv: list[str]) -> int:
    """Return when the program has ended and the folder is gone."""
    killed = False
    ended, child_end = os.pipe()
    wake, wake_end = os.pipe()
    os.set_blocking(wake_end, False)
    signal.set_wakeup_fd(wake_end)
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    pid = os.fork()
    if pid == 0:
        try:
            os.set_inheritable(child_end, True)  # open until the program ends, whatever ends it
            nothing = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(nothing, fd)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.execv(argv[0], argv)  # noqa: S606 (an argv of our own; subprocess takes 15 ms to import)
        finally:
            os._exit(127)
    os.close(child_end)
    try:
        # A parent that ends in good order says so first, and has ended its children before.
        killed = 0 in select.select([0, ended, wake], [], [])[0] and not os.read(0, 1)
        os.kill(pid, signal.SIGTERM)
        if not select.select([ended], [], [], _GRACE)[0]:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        # A killed program's last files may still appear for a moment. Where our parent was killed, what it
        # started beside us makes the folder anew, until it too has seen that.
        until = time.monotonic() + (_LINGER if killed else 1.0)
        while True:
            shutil.rmtree(folder, ignore_errors=True)
            if time.monotonic() > until or not (killed or os.path.exists(folder)):
                break
            time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
