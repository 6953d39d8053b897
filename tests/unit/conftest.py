"""Fixtures of the unit tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[None]:
    """Let the test see file modes as a common user does; root ignores them."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root ignores file modes, and only Linux lets a process give that up and take it back")
    for folder in [tmp_path, *tmp_path.parents]:
        if not folder.stat().st_mode & 0o005 and folder.owner() == "root":
            folder.chmod(folder.stat().st_mode | 0o011)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        os.chown(path, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
