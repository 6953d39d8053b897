"""`picoclaw demo`: shows that prove something, on a swarm of their own."""
