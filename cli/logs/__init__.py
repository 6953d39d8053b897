"""Logs: how a process logs, where a node's log lies, and `picoclaw logs`."""
