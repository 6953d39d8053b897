"""Families of executors: each module here has `executors(paths, told)`, and the registry finds it by itself."""
