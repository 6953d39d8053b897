"""Approvals: what an agent may do, and what somebody has to allow."""
