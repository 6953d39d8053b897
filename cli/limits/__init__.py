"""`picoclaw limits`: what the whole swarm is held to."""
