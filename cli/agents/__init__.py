"""`picoclaw create|get|describe|delete agent`: the agents that a swarm knows."""
