"""The bench: our figures beside those of bare nats-py, in one run on one server."""
