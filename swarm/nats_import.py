"""Import nats-py without what it would only use for WebSockets.

It imports aiohttp where that is installed (litellm brings it), which takes as long as all the rest of it; no
address that picoclaw takes is one of a WebSocket.
"""

import importlib
import sys


def import_nats() -> None:
    """Import nats-py, before anything else does; aiohttp can be imported as ever afterwards."""
    if "nats" in sys.modules or "aiohttp" in sys.modules:
        return
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # an import of it fails, as if it were not there
    try:
        importlib.import_module("nats.aio.client")
    finally:
        del sys.modules["aiohttp"]
