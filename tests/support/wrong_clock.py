"""A process whose wall clock is wrong: it runs another module of ours in a world that is so many seconds off.

python -m picoclaw.tests.support.wrong_clock -3600 picoclaw.tests.support.swarm_node '{...}'
"""

import datetime as calendar
import runpy
import sys
import time

OFF = 0.0
_time, _time_ns, _datetime = time.time, time.time_ns, calendar.datetime


class WrongDatetime(calendar.datetime):
    """Today as this machine would tell it."""

    @classmethod
    def now(cls, tz: calendar.tzinfo | None = None) -> "WrongDatetime":
        return cls.fromtimestamp(_time() + OFF, tz)


def turn(seconds: float) -> None:
    """Put this process's wall clock so far ahead, or behind; what counts durations stays right."""
    global OFF
    OFF = seconds
    time.time = lambda: _time() + seconds
    time.time_ns = lambda: _time_ns() + int(seconds * 1e9)
    calendar.datetime = WrongDatetime  # type: ignore[misc]


if __name__ == "__main__":
    turn(float(sys.argv[1]))
    module, sys.argv = sys.argv[2], sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
