"""Logs: structlog over the standard library; text on a terminal, JSON elsewhere."""

import logging
import sys
from typing import Any

from ..config.settings import LogSettings

_BOUND = ("member", "role", "request", "task", "attempt", "state", "reason", "tasks", "from")
"""What our own log calls bind through `extra`."""


def set_up_logs(settings: LogSettings, **bound: str) -> bool:
    """Send the logs of this process to stderr, each bound to `bound`; return whether they are JSON."""
    import structlog

    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())

    def add_bound(_: Any, __: str, event: Any) -> Any:
        record = event.get("_record")
        if record is not None:
            fields = vars(record)
            event.update({key: fields[key] for key in _BOUND if key in fields})
            if "task" in event:
                event["request"] = str(event["task"]).partition(".")[0]
        return {**bound, **event}

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_bound,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=28)
    )
    last = [structlog.processors.format_exc_info] if as_json else []
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
    )
    # Two lines per task: what no line shows need not be found out (Python's logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("picoclaw").setLevel(settings.level.upper())
    # The client repeats on its own logger what reaches us as errors.
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    return as_json
