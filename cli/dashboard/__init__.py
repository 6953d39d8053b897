"""`picoclaw --swarm.dashboard`: the swarm's status, once or live."""
