"""Elsewhere: work on large data in a process of its own, as reading and writing JSON stops every thread of this one."""

import pickle
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from ..errors import FinalError
from .tool import run_tool

T = TypeVar("T")

LARGE = 2**20
"""Bytes of JSON beyond which it is read elsewhere: what a process costs to start, and no heartbeat misses."""
LONGEST = timedelta(minutes=2)
MOST_BACK = 2**28
"""Bytes of what comes back."""

_START = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import main; main()"


async def elsewhere(work: Callable[..., T], *given: Any) -> T:
    """Call a function of a module with what can be pickled, in a process of its own; raise what it raises.

    Raises FinalError when the process ends without an answer, as for want of memory.
    """
    path = [place for place in sys.path if Path(place).is_absolute()]
    said = await run_tool(
        [sys.executable, "-I", "-X", "utf8", "-c", _START, *path],
        cwd=Path("/"),
        timeout=LONGEST,
        stdin=pickle.dumps((work, given)),
        output_limit=MOST_BACK,
    )
    if said.returncode != 0:
        words = said.stderr.strip().splitlines()[-1:] or [f"exit code {said.returncode}"]
        raise FinalError(f"large data could not be read in a process of its own: {words[0][:300]}")
    answer, error = pickle.loads(said.stdout)  # noqa: S301 - from our own code
    if error is not None:
        raise error
    return answer  # type: ignore[no-any-return]


def main() -> None:
    """Do what the other process asks for."""
    work, given = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own code
    try:
        said = pickle.dumps((work(*given), None))
    except Exception as error:  # noqa: BLE001 - raised again where somebody waits for it
        said = pickle.dumps((None, error))
    sys.stdout.buffer.write(said)
