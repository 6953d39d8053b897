"""Agents that the whole swarm knows: their profiles, in the registry."""
