"""A run behind a fake model is one trace, sent by OTLP over HTTP to a real receiver, without what was said."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from picoclaw.swarm.records import QueuedTask
from picoclaw.swarm.tracing import names, otel
from picoclaw.tests.support.agents import agent, settings_for
from picoclaw.tests.support.examples import EXAMPLES
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.fake_llm import fake_llm
from picoclaw.tests.support.swarm import Lab, ask, end_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SCRIPT: dict[str, Any] = {
    "rules": [
        {
            "when": {"turn": 1},
            "answer": {"text": "zebra thought", "tools": [{"recall": {"key": "zebra-key"}}]},
        },
        {"answer": "zebra answer"},
    ]
}


class Receiver:
    """Takes traces as a collector does."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.port = 0

    def spans(self) -> list[Span]:
        found: list[Span] = []
        for body in self.bodies:
            sent = ExportTraceServiceRequest.FromString(body)
            found += [span for of in sent.resource_spans for scope in of.scope_spans for span in scope.spans]
        return found


@contextmanager
def receiver() -> Iterator[Receiver]:
    taken = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            taken.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield taken
        finally:
            server.shutdown()
            thread.join()


def told(span: Span) -> dict[str, Any]:
    """The attributes of a span."""
    found: dict[str, Any] = {}
    for attribute in span.attributes:
        value = attribute.value
        listed = [one.string_value for one in value.array_value.values]
        found[attribute.key] = listed or value.string_value or value.int_value
    return found


@contextmanager
def silent() -> Iterator[int]:
    """A collector that takes connections and never answers; yields its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening.getsockname()[1]


async def traced_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Receiver]:
    with receiver() as taken, fake_llm(SCRIPT) as llm:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{taken.port}")
        door = await lab.door()
        coordinator = await lab.coordinator()
        worker = await lab.worker(agent(settings_for(llm, monkeypatch), tools=("recall",)))
        request = await ask(door, "zebra question", demand="noop")
        assert (await end_of(door, request, 30)).head.state == "done"
        await worker.stop()
        await coordinator.stop()
        return request, taken


async def test_a_run_is_one_trace_without_what_was_said(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    request, taken = await traced_run(lab, monkeypatch)
    spans = taken.spans()
    by_id = {span.span_id: span for span in spans}
    above = {span.name: by_id[span.parent_span_id].name if span.parent_span_id else "" for span in spans}
    model = f"{names.CHAT} claude-fake"
    assert above == {
        names.REQUEST_SPAN: "",
        names.PLAN_SPAN: names.REQUEST_SPAN,
        "task noop": names.REQUEST_SPAN,
        f"{names.INVOKE_AGENT} tester": "task noop",
        model: f"{names.INVOKE_AGENT} tester",
        f"{names.EXECUTE_TOOL} recall": f"{names.INVOKE_AGENT} tester",
    }
    assert len({span.trace_id for span in spans}) == 1
    assert {span.name for span in spans if span.kind == Span.SPAN_KIND_CLIENT} == {model}
    (last,) = [told(span) for span in spans if told(span).get(names.FINISH_REASONS) == ["stop"]]
    assert last[names.PROVIDER] == "anthropic"
    assert last[names.REQUEST_MODEL] == last[names.RESPONSE_MODEL] == "claude-fake"
    assert last[names.INPUT_TOKENS] > 0
    assert last[names.CACHE_READ_TOKENS] >= 0
    (agent_told,) = [told(span) for span in spans if span.name == f"{names.INVOKE_AGENT} tester"]
    assert agent_told[names.CONVERSATION_ID] == f"{request}.task"
    assert sum(span.name == model for span in spans) == 2
    assert request.encode() in b"".join(taken.bodies)
    assert b"zebra" not in b"".join(taken.bodies)


async def test_handed_on_work_stands_below_the_tool_that_handed_it_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = {
        "rules": [
            {
                "when": {"turn": 1},
                "answer": {"tools": [{"delegate": {"capability": "part", "text": "a part"}}]},
            },
            {"answer": "done"},
        ]
    }
    with receiver() as taken, fake_llm(script) as llm:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{taken.port}")
        door = await lab.door()
        coordinator = await lab.coordinator()
        lead = agent(settings_for(llm, monkeypatch), tools=("delegate",))
        worker = await lab.worker({**lead, **executors(Runs("part"))})
        request = await ask(door, "do it", demand="noop")
        assert (await end_of(door, request, 30)).head.state == "done"
        await worker.stop()
        await coordinator.stop()
    spans = taken.spans()
    by_id = {span.span_id: span for span in spans}
    (below,) = [span for span in spans if span.name == "task part"]
    way = []
    while below.parent_span_id:
        below = by_id[below.parent_span_id]
        way.append(below.name)
    assert way == [
        names.REQUEST_SPAN,
        f"{names.EXECUTE_TOOL} delegate",
        f"{names.INVOKE_AGENT} tester",
        "task noop",
        names.REQUEST_SPAN,
    ]


async def test_a_place_travels_as_a_header_that_others_read(lab: Lab) -> None:
    queued = EXAMPLES["queued_task"]
    assert isinstance(queued, QueuedTask)
    assert queued.trace
    door = await lab.door()
    await door.queue.publish(queued)
    wanted = {"last_by_subj": door.names.wildcard("task")}
    stored = await door.wire.api(f"STREAM.MSG.GET.{door.names.tasks}", wanted)
    assert f"traceparent: {queued.trace}" in base64.b64decode(stored["message"]["hdrs"]).decode()


def test_a_collector_that_does_not_answer_holds_nothing_up_but_the_stop_and_that_not_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with silent() as port:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        tracing = otel.OtelTracing("n", content=False, timeout=1, last=timedelta(seconds=0.2))
        begun = time.monotonic()
        for number in range(2000):
            with tracing.span(f"s{number}", {"half": "\ud800"}) as span:
                span.set({"half": "\ud800"})
        assert time.monotonic() - begun < 3
        begun = time.monotonic()
        tracing.close()
        assert time.monotonic() - begun < 2, "four batches of a second each were not waited for"


async def test_what_was_said_is_recorded_where_it_is_asked_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    _, taken = await traced_run(lab, monkeypatch)
    assert all(said in b"".join(taken.bodies) for said in (b"zebra question", b"zebra-key", b"zebra answer"))
