"""The oldest nats-server that can carry a swarm."""

import re

MINIMUM = (2, 12, 0)
"""Priority policy `prioritized` and message schedules (`@at`) both came with 2.12:
https://docs.nats.io/release-notes/whats_new/whats_new_212"""


def parse_version(text: str) -> tuple[int, int, int]:
    """Return the numbers of `2.12.1-RC.3` or `v2.12.1`; (0, 0, 0) when it is not a version."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    if match is None:
        return (0, 0, 0)
    return (int(match[1]), int(match[2]), int(match[3] or 0))


def format_version(version: tuple[int, int, int]) -> str:
    """Return `2.12` for (2, 12, 0), `2.12.1` for (2, 12, 1)."""
    return ".".join(str(part) for part in (version if version[2] else version[:2]))
