"""Profiles: the figures of the guide for swarms of three sizes, under one name each."""

from collections.abc import Mapping
from types import MappingProxyType

from .values import Raw

PROFILE = "swarm.profile"
"""The key that chooses one."""

PROFILES: Mapping[str, Mapping[str, Raw]] = MappingProxyType(
    {
        "small": {
            "swarm.max_concurrent": "5",
            "swarm.nats.heartbeat_interval": "10s",
            "swarm.nats.node_timeout": "30s",
        },
        "medium": {
            "swarm.max_concurrent": "10",
            "swarm.nats.heartbeat_interval": "5s",
            "swarm.nats.node_timeout": "20s",
        },
        "large": {
            "swarm.max_concurrent": "20",
            "swarm.nats.heartbeat_interval": "3s",
            "swarm.nats.node_timeout": "15s",
            "swarm.temporal.enabled": "true",
        },
    }
)
"""What each sets, as a file would; weaker than anything that was said of the key itself."""

MEANT_FOR: Mapping[str, str] = MappingProxyType(
    {"small": "2 to 5 nodes", "medium": "5 to 20 nodes", "large": "over 20 nodes"}
)
