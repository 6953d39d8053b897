"""The signature of a thinking block: whoever changes the block on the way back is found out."""

import hashlib


def signature(thinking: str) -> str:
    """Return what stands under a thinking block."""
    return "fake-" + hashlib.sha256(b"picoclaw fake-llm " + thinking.encode()).hexdigest()[:40]
