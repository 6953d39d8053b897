"""Membership: who is there, what each says of itself, and what may be concluded from its silence."""
