"""Peers: other durable task queues on the same work, measured in November 2026 on two such cores.

No-op tasks of 200 bytes, one producer that holds all results, one or two worker processes and the
broker on the same two cores, tuned settings; the best value seen of each. Noise is about 20 %.
Tasks survive the broker in all of them; that the result does too is true only of those with a
result store. What is in memory only (AutoGen, Ray, a process pool) is no durable peer.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """The best of one system."""

    name: str
    rate: float
    """Tasks a second, with one or two workers, whichever was more."""
    single_ms: float
    """Round trip of one task, p50."""
    eight_ms: float
    """8 tasks out and in, p50."""
    cpu: float
    """CPU seconds per 1,000 tasks."""


PEERS = (
    Peer("FastStream 0.7.8, JetStream", 4800, 1.1, 3.2, 0.41),
    Peer("dramatiq 2.2.1, Redis", 3600, 6.0, 9.0, 0.5),
    Peer("natsrpy 0.1.4, JetStream", 3000, 1.0, 4.0, 0.6),
    Peer("taskiq 0.13.0, JetStream", 1500, 7.5, 14.5, 1.2),
    Peer("saq 0.26.4, Redis", 1150, 12.0, 14.0, 1.3),
    Peer("arq 0.28.0, Redis", 1150, 11.0, 14.0, 1.3),
    Peer("Celery 5.7.0, RabbitMQ", 680, 2.5, 13.0, 2.4),
    Peer("Celery 5.7.0, Redis", 550, 1.9, 14.0, 2.9),
)
