"""Begin: whether a node traces, by OpenTelemetry's own variables."""

import logging
from collections.abc import Mapping
from importlib.util import find_spec

from .spans import OFF, Tracing

log = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
SEND = 3.0
"""Longest time of one try to send, in seconds: a node that stops waits for it."""


def is_asked(environ: Mapping[str, str]) -> bool:
    """Return whether an operator wants traces."""
    return (
        any(environ.get(name) for name in ENDPOINTS)
        and environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() in ("", "otlp")
    )


def is_installed() -> bool:
    """Return whether the extra `otel` is; nothing of it is imported but the packages that hold its parts."""
    try:
        return all(find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:
        return False


def begin_tracing(node: str, environ: Mapping[str, str]) -> Tracing:
    """Return a node's tracing; without the extra `otel` a warning says what is missing."""
    if not is_asked(environ):
        return OFF
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), PROTOCOL)
    if protocol != PROTOCOL:
        log.warning("traces are sent by %s, not by %s: point the endpoint at that port", PROTOCOL, protocol)
    try:
        from .otel import OtelTracing
    except ImportError:
        log.warning("no traces are sent: install what they need, pip install 'picoclaw-swarm[otel]'")
        return OFF
    timeout = None if any(environ.get(name) for name in TIMEOUTS) else SEND
    return OtelTracing(node, content=environ.get(CONTENT, "").strip().lower() == "true", timeout=timeout)
