"""Logs: JSON lines, or structlog's text on a terminal, both over the standard library."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from ...config.settings import LogSettings
from ..printing.output import colours
from .sparing import spare

_BOUND = ("member", "role", "request", "task", "attempt", "state", "reason", "tasks", "from")
"""What our own log calls bind through `extra`."""


def set_up_logs(settings: LogSettings, *, lines: "JsonLines | None" = None, **bound: str) -> bool:
    """Send the logs of this process to stderr, each bound to `bound`; return whether they are JSON.

    `lines`: the formatter of JSON lines, where another handler uses it too.
    """
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    # Two lines per task: what no line shows need not be found out (Python's logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = LinesAbovePrompt(sys.stderr)
    handler.setFormatter((lines or JsonLines(bound)) if as_json else _text(bound))
    spare(handler)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("picoclaw").setLevel(settings.level.upper())
    # The client repeats on its own logger what reaches us as errors.
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    return as_json


class LinesAbovePrompt(logging.StreamHandler[TextIO]):
    """Prints log lines above a prompt that waits for input, and draws the prompt again below them."""

    prompt = ""
    """What stands at the last line of the terminal now; empty: nothing."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        if self.prompt:
            self.stream.write("\r\x1b[K")
        super().emit(record)
        if self.prompt:
            self.stream.write(self.prompt)
            self.stream.flush()


def show_prompt(text: str) -> None:
    """Print a prompt below whatever is logged from now on; empty: there is none any more."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LinesAbovePrompt):
            handler.prompt = text
    if text:
        sys.stderr.write(text)
        sys.stderr.flush()


def draw_prompt() -> None:
    """Print again the prompt that waits, if one does."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LinesAbovePrompt) and handler.prompt:
            show_prompt(handler.prompt)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a log call bound, and what follows from it."""
    given = vars(record)
    found = {key: given[key] for key in _BOUND if key in given}
    if "task" in found:
        found["request"] = str(found["task"]).partition(".")[0]
    return found


class JsonLines(logging.Formatter):
    """One JSON object per line, as structlog's JSON renderer writes it at twice the cost.

    Two handlers that share one pay once: the last line is kept.
    """

    def __init__(self, bound: Mapping[str, str]) -> None:
        super().__init__()
        self._bound = dict(bound)
        self._last: tuple[logging.LogRecord | None, str] = (None, "")

    def format(self, record: logging.LogRecord) -> str:
        last, text = self._last
        if last is not record:
            text = self._render(record)
            self._last = (record, text)
        return text

    def _render(self, record: logging.LogRecord) -> str:
        line = {
            **self._bound,
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


def _text(bound: Mapping[str, str]) -> logging.Formatter:
    import structlog

    def add_bound(_: Any, __: str, event: Any) -> Any:
        return {**bound, **event, **_fields(event["_record"])}

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_bound,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(colors=colours(sys.stderr), pad_event_to=28),
        ],
    )
