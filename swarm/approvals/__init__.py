"""Approvals: questions of agents that a person answers, once; they outlive every process."""
