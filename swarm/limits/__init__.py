"""Limits: what the whole swarm is held to, and how it is held to it: caps, quotas, sizes, ages."""
