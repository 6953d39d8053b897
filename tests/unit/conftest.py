"""Fixtures of the unit tests."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the test sees file modes as a common user does; root ignores them."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    if sys.platform != "linux":
        pytest.skip("root ignores file modes, and only Linux lets a process give that up and take it back")
    # Not in pytest's own folders, nor in a TMPDIR that somebody made for root alone.
    folder = Path(tempfile.mkdtemp(prefix="picoclaw-test-", dir="/tmp"))
    os.chown(folder, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)
