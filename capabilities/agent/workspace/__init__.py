"""Workspace: the folder of one agent's job, what a crash leaves of it, and what comes back of it."""
