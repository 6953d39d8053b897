"""Tracing: where a span stands, whether it is on, and that nothing is imported where it is off."""

import subprocess
import sys

import pytest

from picoclaw.capabilities.agent.models.conversation import Assistant, ToolAnswer, ToolCall, User
from picoclaw.capabilities.agent.models.traced import as_message
from picoclaw.swarm.records import QueuedTask, Request
from picoclaw.swarm.same_request import same_request
from picoclaw.swarm.tracing import names
from picoclaw.swarm.tracing.begin import begin_tracing, is_asked
from picoclaw.swarm.tracing.context import SpanPlace, in_headers, read_traceparent, request_place
from picoclaw.swarm.tracing.spans import OFF, span, traceparent
from picoclaw.tests.support.examples import EXAMPLES

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def test_a_traceparent_is_read_and_said_again() -> None:
    assert str(read_traceparent(GIVEN)) == GIVEN
    unsampled = GIVEN[:-1] + "0"
    assert str(read_traceparent(unsampled)) == unsampled


@pytest.mark.parametrize(
    "text",
    [None, "", "x", GIVEN.upper(), GIVEN + "-more", "ff" + GIVEN[2:], "00-" + "0" * 32 + GIVEN[35:],
     GIVEN[:36] + "0" * 16 + "-01", GIVEN + "\n"],
)  # fmt: skip
def test_what_is_no_traceparent_is_no_place(text: str | None) -> None:
    assert read_traceparent(text) is None


def test_a_later_version_may_say_more() -> None:
    assert read_traceparent("01" + GIVEN[2:] + "-more") == read_traceparent(GIVEN)


def test_a_requests_place_is_its_own_and_the_same_for_each_coordinator() -> None:
    assert request_place("r-a", None) == request_place("r-a", None)
    assert request_place("r-a", None).trace != request_place("r-b", None).trace
    above = SpanPlace(7, 8, sampled=False)
    below = request_place("r-a", above)
    assert (below.trace, below.sampled) == (7, False)
    assert below.span == request_place("r-a", None).span


def test_it_is_off_unless_an_endpoint_is_named() -> None:
    assert begin_tracing("n", {}) is OFF
    assert is_asked(ENDPOINT)
    assert is_asked({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"})
    assert not is_asked(ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"})
    assert not is_asked(ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"})


def test_off_nothing_is_imported_and_a_span_is_nothing() -> None:
    code = (
        "import sys, picoclaw.swarm.swarm, picoclaw.roles.node; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=50, check=False).returncode == 0
    with span("anything", names.CHAT, {}) as here:
        here.set({"a": 1})
        assert not here.content
        assert traceparent() is None


def test_messages_have_the_form_of_the_conventions() -> None:
    call = ToolCall(id="c1", name="read", arguments={"path": "a"})
    assert as_message(Assistant(text="I look", calls=(call,))) == {
        "role": "assistant",
        "parts": [
            {"type": "text", "content": "I look"},
            {"type": "tool_call", "id": "c1", "name": "read", "arguments": {"path": "a"}},
        ],
    }
    assert as_message(ToolAnswer(call="c1", name="read", text="b")) == {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": "c1", "response": "b"}],
    }
    assert as_message(User(text="hi"))["parts"] == [{"type": "text", "content": "hi"}]


def test_a_place_is_a_header_of_a_message() -> None:
    assert in_headers(GIVEN) == {"traceparent": GIVEN}
    assert in_headers(None) == in_headers("nonsense") == {}


def test_the_same_request_may_come_from_another_trace() -> None:
    request, queued = EXAMPLES["request"], EXAMPLES["queued_task"]
    assert isinstance(request, Request)
    assert isinstance(queued, QueuedTask)
    assert request.trace == queued.trace
    assert same_request(request, request.model_copy(update={"trace": GIVEN}))


def test_the_names_of_models_and_tools_are_the_conventions() -> None:
    said = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"} <= said
    assert {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.tool.name"} <= said
    assert {"chat", "invoke_agent", "execute_tool"} <= said
