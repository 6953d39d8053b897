"""One node in the foreground, and the coordinator's prompt."""
