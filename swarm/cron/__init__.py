"""Recurring requests, on the message schedules of the NATS server: no process of ours keeps the time."""
