"""PicoClaw Swarm: agent processes that share work over NATS JetStream and lose none of it."""

__version__ = "0.1.0"
