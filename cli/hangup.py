"""A command whose terminal closes, or that is told to end, tidies up as after Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import Callable

TERMINATED = 143
"""128 and the number of SIGTERM, as shells do."""


def on_hangup(call: Callable[[], None]) -> None:
    """Call it when the terminal closes, in the running loop; under `nohup` never."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def hung_up() -> None:
        # What is written to a terminal that has gone fails, and there is nobody left to read it.
        nothing = os.open(os.devnull, os.O_WRONLY)
        for number in terminals:
            os.dup2(nothing, number)
        os.close(nothing)
        call()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


def stop_as_ctrl_c_does() -> None:
    """Let SIGTERM and the end of the terminal cancel the current task, whose clean-up then runs."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

        def cancel() -> None:
            if not task.cancelling():
                task.cancel()

        on_hangup(cancel)
