"""Finding what a test left running."""

import subprocess
import sys
from pathlib import Path

import pytest

from picoclaw.tests.support.processes import alive, describe, processes_of
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

# Its child has a session of its own, and is nobody's child in this process once this one has ended.
DETACHING = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
"""


def test_a_process_that_detached_itself_is_found_by_its_home(home: Path) -> None:
    subprocess.run([sys.executable, "-c", DETACHING], check=True, timeout=10)

    (found,) = wait_for(lambda: processes_of(home), 5)

    assert "signal.pause()" in describe([found])[0]
    found.kill()
    wait_for(lambda: not alive([found]), 5)
    assert processes_of(home) == []
