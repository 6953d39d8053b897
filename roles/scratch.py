"""Scratch: the folder of one run's job workspaces, and what killed runs left of theirs."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..capabilities.child.hunt import hunt
from ..capabilities.removal import remove
from ..errors import EmbeddedServerError
from ..swarm.embedded.process import birth
from ..swarm.embedded.rundir import make_private_dir

log = logging.getLogger(__name__)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield this process's own folder below `parent`; it goes with the block, those of dead ones at once.

    Raises EmbeddedServerError when it cannot be made.
    """
    make_private_dir(parent)
    for left in parent.iterdir():
        if _in_use(left.name):
            continue
        # A program that stopped its supervisor (SIGSTOP) outlives a node that was killed.
        if ended := hunt(None, f"TASK_FILE={left.resolve()}{os.sep}"):
            log.warning("%d processes of a run that was killed still ran: they are ended", ended)
        if not remove(left):
            log.warning("%s is left by a run that was killed and cannot be removed: do it by hand", left)
    mark = birth(os.getpid()) or ""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{mark}.", dir=parent))
    except OSError as error:
        raise EmbeddedServerError(
            f"no folder can be made in {parent} ({error.strerror}): free disk space, or make it writable for this user"
        ) from error
    try:
        yield folder
    finally:
        remove(folder)


def _in_use(name: str) -> bool:
    """Return whether the process that made a folder still runs: its pid, and the birth that goes with it."""
    pid, _, mark = name.partition("-")
    return pid.isdigit() and (birth(int(pid)) or "") == mark.rpartition(".")[0]
