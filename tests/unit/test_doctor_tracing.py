"""`picoclaw doctor` on traces: where they go, and what is missing where they are asked for."""

import sys

import pytest

from picoclaw.cli.doctor.tracing import tracing_rows

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

ASKED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:secret@traces.example:4318/?key=secret"}
PLACE = "https://***@traces.example:4318/ (OTEL_EXPORTER_OTLP_ENDPOINT)"


def test_nobody_asks_for_traces() -> None:
    assert tracing_rows({}) == []
    assert tracing_rows({**ASKED, "OTEL_SDK_DISABLED": "true"}) == []


def test_where_they_are_sent() -> None:
    pytest.importorskip("opentelemetry.sdk.trace")
    (row,) = tracing_rows(ASKED)
    assert (row.status, row.detail) == ("ok", f"sent to {PLACE}")


def test_without_the_extra_none_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    (row,) = tracing_rows(ASKED)
    assert (row.status, row.detail) == ("warning", f"none are sent to {PLACE}")
    assert row.fix == "pip install 'picoclaw-swarm[otel]'"
