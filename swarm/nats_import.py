"""Import nats-py without what it only uses for WebSockets.

It imports aiohttp where that is installed (litellm brings it), which takes as long as all the rest of it.
"""

import importlib
import importlib.util
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


def import_websockets() -> None:
    """Give nats-py what it needs for the address of a WebSocket, where that is installed."""
    names = vars(importlib.import_module("nats.aio.transport"))
    if names["aiohttp"] is None and importlib.util.find_spec("aiohttp") is not None:
        names["aiohttp"] = importlib.import_module("aiohttp")
