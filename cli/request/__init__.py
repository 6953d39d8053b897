"""What a command line asks of the swarm, read and checked before anything is sent."""
