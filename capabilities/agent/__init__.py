"""Agents: a model that works by tools, journaled step by step, so that a crash costs at most one step."""
