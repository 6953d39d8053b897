"""Answers that no model can give: without end, or with counts that would spend every budget."""

from types import SimpleNamespace
from typing import Any

import pytest

from picoclaw.capabilities.agent.loop.speech import MOST, Speech
from picoclaw.capabilities.agent.models import bounds
from picoclaw.capabilities.agent.models.anthropic_answer import Answer
from picoclaw.capabilities.agent.models.bounds import MOST_OF_EVENT, Endless, EventBound
from picoclaw.capabilities.agent.models.litellm_answer import StreamedAnswer
from picoclaw.capabilities.agent.models.named import read_model

pytestmark = pytest.mark.unit

PIECE = "x" * 2**20


def of(**fields: Any) -> Any:
    return SimpleNamespace(**fields)


def take_on(answer: Answer | StreamedAnswer, piece: Any) -> None:
    for _ in range(20):
        answer.take(piece)


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "text_delta", "text": PIECE},
        {"type": "thinking_delta", "thinking": PIECE},
        {"type": "input_json_delta", "partial_json": PIECE},
        {"type": "signature_delta", "signature": PIECE},
    ],
    ids=lambda piece: str(piece["type"]),
)
def test_a_stream_of_anthropic_without_end_is_given_up(piece: dict[str, str]) -> None:
    answer = Answer(lambda text: None)
    block = of(type="thinking", to_dict=lambda: {"type": "thinking"})
    answer.take(of(type="content_block_start", index=0, content_block=block))
    event = of(type="content_block_delta", index=0, delta=of(**piece))
    with pytest.raises(Endless, match="does not end"):
        take_on(answer, event)


@pytest.mark.parametrize("what", ["content", "reasoning_content", "arguments"])
def test_a_stream_of_litellm_without_end_is_given_up(what: str) -> None:
    answer = StreamedAnswer(read_model("openai/x"), lambda text: None)
    call = of(index=0, id="c", function=of(name="bash", arguments=PIECE))
    delta = of(content=None, tool_calls=[call] if what == "arguments" else None)
    setattr(delta, what, PIECE)
    with pytest.raises(Endless, match="does not end"):
        take_on(answer, of(choices=[of(finish_reason=None, delta=delta)]))


@pytest.mark.parametrize(
    ("count", "taken"),
    [(0, 0), (7, 7), (10**9, 10**9), (10**9 + 1, None), (10**400, None), (-1, None), ("7", None)],
)
def test_a_count_that_can_be_none_is_none(count: object, taken: int | None) -> None:
    assert bounds.tokens(count) == taken


async def test_of_an_answer_that_comes_in_one_piece_watchers_are_told_its_beginning() -> None:
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)

    async with Speech(say) as speech:
        speech.add(PIECE)
        speech.add("and more")
    assert len("".join(said)) == MOST + 1, "with the end of its line"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_stream_of_any_length_has_events_that_end_however_it_is_cut(end: bytes, size: int) -> None:
    stream = (b"data: " + b"x" * 50 + end) * 2000
    bound = EventBound()
    for at in range(0, len(stream), size):
        bound.take(stream[at : at + size])


def test_an_event_that_does_not_end_is_given_up() -> None:
    bound = EventBound()
    bound.take(b"data: x\n\n" + b"y" * MOST_OF_EVENT)
    with pytest.raises(Endless, match="does not end"):
        bound.take(b"y")
