"""Traces: whether what the environment asks for can be sent from this installation."""

import os
from collections.abc import Mapping

from ...config.urls import redact_url
from ...swarm.checks.row import Row, ok, warning
from ...swarm.tracing.begin import ENDPOINTS, is_asked, is_installed


def tracing_rows(environ: Mapping[str, str] = os.environ) -> list[Row]:
    """Check it where traces are asked for; nothing is sent."""
    if not is_asked(environ):
        return []
    variable = next(name for name in ENDPOINTS if environ.get(name))
    place = f"{redact_url(environ[variable].partition('?')[0])} ({variable})"
    if not is_installed():
        return [warning("traces", f"none are sent to {place}", "pip install 'picoclaw-swarm[otel]'")]
    return [ok("traces", f"sent to {place}")]
