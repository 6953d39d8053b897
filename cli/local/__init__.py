"""A local swarm for one request: its server and nodes are children of the command."""
