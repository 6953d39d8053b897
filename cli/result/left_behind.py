"""What the tasks of a local swarm left as files, fetched before the swarm and its store are gone."""

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import PicoclawError
from ..errors import echo_warning

if TYPE_CHECKING:
    from ...swarm.swarm import Swarm


async def save_what_is_left(swarm: "Swarm", request_id: str, stem: str) -> list[Path]:
    """Fetch all artifacts into `~/.picoclaw/reports/STEM` and return the files; none where there is none.

    Where that cannot be done it says so: the report stands all the same.
    """
    from ...swarm.embedded.rundir import make_private_dir, picoclaw_home
    from ...swarm.resolve import resolve
    from .saved_artifacts import artifacts_of, fetch_artifacts

    try:
        left = await artifacts_of(swarm, await resolve(swarm, request_id))
        if not left:
            return []
        reports = make_private_dir(make_private_dir(picoclaw_home()) / "reports")
        return [file async for file in fetch_artifacts(swarm, left, reports / stem)]
    except (PicoclawError, OSError) as error:
        echo_warning(f"what its tasks left could not be saved, and is gone: {error}")
        return []
