"""Families of executors: each module here has `executors(paths)`, and the registry finds it by itself."""
