"""Functions: a Python callable as a capability, from a definition or an entry point, in a child process."""
