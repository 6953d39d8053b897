"""Profiles: an agent as its user defines it."""
