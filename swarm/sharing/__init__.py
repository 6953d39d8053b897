"""Sharing: what agents tell each other, by the request's blackboard and by mail, and what they spend together."""
