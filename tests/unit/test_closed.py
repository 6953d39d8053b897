"""A process that is closed: its environment is not for another one of the same user."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

READER = """
import ctypes, os, sys
from picoclaw.roles.closed import close_to_others

if os.geteuid() == 0:  # root reads everything
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as a process is that did not change its user

def another_reads():
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
        try:
            open(f"/proc/{os.getppid()}/environ", "rb").close()
        except PermissionError:
            os._exit(13)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

print(another_reads())
close_to_others()
print(another_reads(), len(os.listdir("/proc/self/fd")) > 2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
def test_the_environment_of_a_closed_process_is_not_read_by_another_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READER], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout.split() == ["0", "13", "True"], done.stderr
