"""Families of executors: each module here has `executors()`, and the registry finds it by itself."""
