"""Where the `picoclaw` command begins: Ctrl-C ends it without words before its modules are there, too.

What loads before `main` runs could still be interrupted with a traceback, so nothing does.
"""

import os
import sys

_INTERRUPTED = 130
"""As errors.py has it, which is not loaded yet."""

LIVELY = 10_000
"""New objects before Python looks for garbage: a megabyte or two, where its own 700 suit a small script."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    try:
        import gc
        import signal

        # What loads stays: with 700 a tenth of the start of a node goes into looking through it for garbage.
        gc.set_threshold(LIVELY)

        meant = signal.getsignal(signal.SIGINT)
        waits = meant is signal.default_int_handler  # else it is ignored, as for a shell's `&`
        if waits:
            # Nothing is open or written yet, and an exception may be lost within an import.
            signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
        from .root import run

        if waits:
            signal.signal(signal.SIGINT, meant)
        code = run(sys.argv[1:] if args is None else args)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)
