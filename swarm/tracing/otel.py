"""OpenTelemetry: spans by its SDK, sent by OTLP over HTTP; imported only where tracing is on."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from . import names
from .context import SpanPlace, read_traceparent, request_place
from .spans import PRESENT, Span, Value

log = logging.getLogger(__name__)

LAST = timedelta(seconds=5)
"""Longest wait for the last spans, when a node stops."""


class _Ids(RandomIdGenerator):
    """Ids by chance, but those of a request's own span."""

    def __init__(self) -> None:
        self.given: SpanPlace | None = None

    def generate_trace_id(self) -> int:
        return self.given.trace if self.given is not None else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.given.span if self.given is not None else super().generate_span_id()


class _Open:
    def __init__(self, span: trace.Span, content: bool) -> None:
        self.span = span
        self.content = content
        self.ended = False

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes; a request's state is its end."""
        self.span.set_attributes({name: _sound(value) for name, value in attributes.items()})
        self.ended = self.ended or names.REQUEST_STATE in attributes


class OtelTracing:
    """Makes spans and sends them from a thread of its own."""

    def __init__(self, node: str, *, content: bool, timeout: float | None, last: timedelta = LAST) -> None:
        """`timeout`: longest time of one try to send, in seconds; None: the environment says it. `last`: longest
        wait for the last spans when it is closed."""
        self._last = last.total_seconds()
        self._content = content
        self._ids = _Ids()
        resource = Resource.create({"service.instance.id": node})
        if resource.attributes.get("service.name", "").startswith("unknown_service"):  # type: ignore[union-attr]
            resource = resource.merge(Resource({"service.name": names.SERVICE}))
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=timeout)))
        self._tracer = self._provider.get_tracer("picoclaw")

    @contextmanager
    def span(
        self, name: str, attributes: Mapping[str, Value], parent: str | None = None, *, client: bool = False
    ) -> Iterator[Span]:
        """Open a span below the `traceparent`, or the present one. `client`: of a call to another service."""
        kind = trace.SpanKind.CLIENT if client else trace.SpanKind.INTERNAL
        place = read_traceparent(parent)
        context = _below(place) if place is not None else None
        made = _Open(self._tracer.start_span(name, context, kind), self._content)
        made.set(attributes)
        try:
            with self._present(made):
                yield made
        finally:
            made.span.end()

    @contextmanager
    def request(self, request: str, parent: str | None) -> Iterator[Span]:
        """Open a request's own span; it is told only once its state is set."""
        above = read_traceparent(parent)
        self._ids.given = request_place(request, above)
        try:
            context = _below(above) if above is not None else Context()
            span = self._tracer.start_span(
                names.REQUEST_SPAN, context, attributes={names.REQUEST_ID: request}
            )
        finally:
            self._ids.given = None
        made = _Open(span, self._content)
        with self._present(made):
            yield made
        if made.ended:  # else another coordinator goes on, and tells it
            span.end()

    @contextmanager
    def _present(self, made: _Open) -> Iterator[None]:
        token = PRESENT.set(self)
        try:
            with trace.use_span(made.span, record_exception=False, set_status_on_exception=False):
                yield
        except Exception as error:
            # Its words may hold what was asked or said: its kind is enough.
            made.set({names.ERROR_TYPE: type(error).__name__})
            made.span.set_status(trace.StatusCode.ERROR)
            raise
        finally:
            PRESENT.reset(token)

    def traceparent(self) -> str | None:
        """Return where the present span stands."""
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return None
        return str(SpanPlace(found.trace_id, found.span_id, found.trace_flags.sampled))

    def close(self) -> None:
        """Send what is left; blocks for some seconds at most."""
        # Each batch has a time limit, but there may be several, and a collector that never answers.
        sending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(self._last)
        if sending.is_alive():
            log.warning("the last spans were not sent within %g s: is the collector there?", self._last)


def _sound(value: Value) -> Value:
    """Return a value that can be sent: of half a character the whole batch would be lost."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _below(place: SpanPlace) -> Context:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if place.sampled else trace.TraceFlags.DEFAULT)
    above = trace.SpanContext(place.trace, place.span, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(above), Context())
