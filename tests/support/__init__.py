"""What tests share: a real nats-server, the real `picoclaw` command, and waiting without sleeping.

Imported as `picoclaw.tests.support…`, the name under which the type checker knows these files too.
"""
