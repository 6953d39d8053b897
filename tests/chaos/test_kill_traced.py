"""kill -9 of an agent's worker and of the coordinator: what goes on elsewhere stands in the same trace."""

from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from picoclaw.swarm.tracing import names
from picoclaw.tests.chaos.test_kill_agent import HANDS, end_of, model_of, start
from picoclaw.tests.integration.test_tracing import receiver
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.fault_points import Write, writes
from picoclaw.tests.support.fleet import fleet_on
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(180)]


async def test_who_takes_over_goes_on_in_the_same_trace(
    start_nats: StartNats,
    spawn_picoclaw: SpawnPicoclaw,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiver() as taken, model_of(tmp_path / "record") as llm:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{taken.port}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        async with fleet_on(start_nats(), spawn_picoclaw, home, tmp_path) as fleet:
            await start(fleet, home, llm)

            def both(write: Write) -> None:
                fleet.kill(write)
                fleet.kill("c1")

            point = fleet.point(writes("journal", entry="outcome"), "before", both, among=HANDS, number=3)
            request = await fleet.ask(demand="agent:tester")
            await point.wait_async(60)
            await fleet.start(("coordinator", "c2"))
            ended, _ = await end_of(fleet, request)
            assert ended.head.state == "done", ended.head

            def named(name: str, **attributes: str | int) -> list[Span]:
                return [
                    span
                    for span in taken.spans()
                    if span.name == name
                    and all(valued(span)[key] == value for key, value in attributes.items())
                ]

            task = f"{names.TASK_SPAN} agent:tester"
            await wait_for_async(
                lambda: bool(named(names.REQUEST_SPAN) and named(task, **{names.TASK_ATTEMPT: 2})), 20
            )
            (whole,) = named(names.REQUEST_SPAN)
            assert valued(whole)[names.NODE] == "c2"
            (second,) = named(task, **{names.TASK_ATTEMPT: 2})
            assert second.parent_span_id == whole.span_id, "as if nothing had been killed"
            (agent,) = [
                span
                for span in named(f"{names.INVOKE_AGENT} tester")
                if span.parent_span_id == second.span_id
            ]
            turns = [span for span in taken.spans() if span.parent_span_id == agent.span_id]
            assert sum(span.name.startswith(names.CHAT) for span in turns) == 2, (
                "the third turn again, and the last"
            )
            assert {span.trace_id for span in taken.spans()} == {whole.trace_id}
            await fleet.settled()


def valued(span: Span) -> dict[str, str | int]:
    """Return a span's attributes, whatever kind they are."""
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
