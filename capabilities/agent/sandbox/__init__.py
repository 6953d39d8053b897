"""Sandboxes: what the commands of an agent can see and reach."""
