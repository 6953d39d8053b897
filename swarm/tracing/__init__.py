"""Tracing: spans of requests, plans, tasks, agents, model calls and tools, where an operator asks for them."""
