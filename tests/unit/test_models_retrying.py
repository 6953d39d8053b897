"""Retries: never more than allowed, never past the time left, never sooner than the provider asks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.models.failures import (
    from_status,
    holds_to_no_schema,
    quoted,
    retry_after,
    unreachable,
)
from picoclaw.capabilities.agent.models.retrying import Again, Failed, GiveUp, Next, Standing, decide
from picoclaw.errors import (
    ContextTooLong,
    ModelKeyRefused,
    ModelRefused,
    ModelUnavailable,
    QuestionRefused,
)

pytestmark = pytest.mark.unit

spans = st.floats(0, 4000, allow_nan=False).map(lambda s: timedelta(seconds=s))
failures = st.builds(Failed, final=st.booleans(), wait=st.none() | spans)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    models = draw(st.integers(1, 4))
    return Standing(
        model=draw(st.integers(0, models - 1)),
        models=models,
        tries=draw(st.integers(1, 30)),
        left=draw(spans | spans.map(lambda span: -span)),
    )


@given(standings(), failures, st.integers(0, 20), st.floats(0, 1))
def test_what_is_decided_can_be_done(standing: Standing, failed: Failed, retries: int, chance: float) -> None:
    decision = decide(standing, failed, retries, chance)
    if isinstance(decision, Again):
        assert not failed.final
        assert standing.tries <= retries
        assert timedelta(0) < decision.wait < standing.left
        assert failed.wait is None or decision.wait >= failed.wait
    if isinstance(decision, Next):
        assert standing.model + 1 < standing.models
        assert standing.left > timedelta(0)
    if isinstance(decision, GiveUp) and standing.left > timedelta(0):
        assert standing.model + 1 == standing.models, "somebody is left to ask"


@given(st.lists(st.tuples(failures, st.floats(0, 1)), min_size=25, max_size=25), st.integers(1, 4))
def test_every_chain_ends(drawn: list[tuple[Failed, float]], models: int) -> None:
    """With ever new failures, each model is asked at most `retries` times again, inside the total."""
    model, tries, left, asked = 0, 0, timedelta(minutes=15), 0
    for failed, chance in drawn:
        tries, asked = tries + 1, asked + 1
        standing = Standing(model=model, models=models, tries=tries, left=left)
        match decide(standing, failed, 4, chance):
            case Again(wait=wait):
                left -= wait
            case Next():
                model, tries = model + 1, 0
            case GiveUp():
                break
    else:
        pytest.fail("it never gives up")
    assert asked <= 5 * models
    assert left > timedelta(0)


def test_waits_grow_to_half_a_minute() -> None:
    def wait(tries: int, chance: float) -> float:
        standing = Standing(model=0, models=1, tries=tries, left=timedelta(hours=1))
        decision = decide(standing, Failed(final=False), 30, chance)
        assert isinstance(decision, Again)
        return decision.wait.total_seconds()

    assert [wait(tries, 1.0) for tries in (1, 2, 3, 4, 7, 20)] == [0.5, 1, 2, 4, 30, 30]
    assert wait(3, 0.0) == 1


def test_a_long_wait_is_not_waited_while_another_can_be_asked() -> None:
    failed = Failed(final=False, wait=timedelta(minutes=2))
    ample = timedelta(hours=1)
    assert decide(Standing(model=0, models=2, tries=1, left=ample), failed, 4, 0.5) == Next()
    alone = decide(Standing(model=1, models=2, tries=1, left=ample), failed, 4, 0.5)
    assert isinstance(alone, Again)
    short = Standing(model=1, models=2, tries=1, left=timedelta(minutes=1))
    assert decide(short, failed, 4, 0.5) == GiveUp()


def test_a_wrong_question_ends_the_chain() -> None:
    standing = Standing(model=0, models=3, tries=1, left=timedelta(hours=1))
    assert decide(standing, Failed(final=True, of_question=True), 4, 0.5) == GiveUp()
    assert decide(standing, Failed(final=True), 4, 0.5) == Next()


def test_a_place_of_our_own_that_is_missing_costs_no_try() -> None:
    tired = Standing(model=0, models=1, tries=5, left=timedelta(hours=1))
    wait = timedelta(seconds=30)
    assert decide(tired, Failed(final=False, wait=wait), 4, 0.5) == GiveUp()
    again = decide(tired, Failed(final=False, wait=wait, unasked=True), 4, 0.5)
    assert isinstance(again, Again)
    assert again.wait >= wait
    fresh = Standing(model=0, models=1, tries=0, left=timedelta(hours=1))
    assert isinstance(decide(fresh, Failed(final=False, unasked=True), 4, 0.5), Again)
    another = Standing(model=0, models=2, tries=0, left=timedelta(hours=1))
    assert decide(another, Failed(final=False, unasked=True), 4, 0.5) == Next()


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "99999999999"}, 86400),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "٣"}, None),
        ({}, None),
    ],
)
def test_what_a_provider_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    wait = retry_after(headers, NOW)
    assert (None if wait is None else wait.total_seconds()) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_is_read_or_left_alone(text: str) -> None:
    wait = retry_after({"retry-after": text}, NOW)
    assert wait is None or timedelta(0) <= wait <= timedelta(days=1)


@given(
    st.integers(300, 599), st.text(max_size=400), st.sampled_from(["sk-abc-123456", "AIzaSy0123456789", None])
)
def test_every_status_is_an_error_in_one_line_without_the_key(
    status: int, words: str, key: str | None
) -> None:
    said = from_status("openai/x", status, f"{words} {key}", headers={}, variable="OPENAI_API_KEY", key=key)
    assert isinstance(said, ModelRefused | ModelUnavailable)
    assert str(said).isprintable()
    assert len(str(said)) < 500
    assert key is None or key not in str(said)


@pytest.mark.parametrize(
    ("status", "words", "error"),
    [
        (400, "prompt is too long: 250000 tokens > 200000 maximum", ContextTooLong),
        (400, "This model's maximum context length is 8192 tokens", ContextTooLong),
        (400, "input length and `max_tokens` exceed context limit", ContextTooLong),
        (413, "", ContextTooLong),
        (400, "Your credit balance is too low", ModelRefused),
        (429, "You exceeded your current quota (insufficient_quota)", ModelRefused),
        (429, "slow down", ModelUnavailable),
        (400, "API key not valid. Please pass a valid API key.", ModelKeyRefused),
        (403, "", ModelKeyRefused),
        (400, "You have reached your specified API usage limits.", ModelRefused),
        (400, "tools.0.input_schema: property api_key is not allowed", QuestionRefused),
        (422, "max_tokens: too large", QuestionRefused),
        (404, "no such model", ModelRefused),
        (302, "", ModelRefused),
        (529, "", ModelUnavailable),
    ],
)
def test_what_a_status_means(status: int, words: str, error: type[Exception]) -> None:
    said = from_status("m/x", status, words, headers={}, variable="M_KEY", key="k-secret")
    assert type(said) is error


def test_a_quotation_is_short_and_hides_what_looks_like_a_key() -> None:
    assert quoted("no\nsuch\tthing", None) == ": no such thing"
    assert quoted("got sk-proj-abc***xyz!", None) == ": got sk-***!"
    assert len(quoted("x" * 9999, None)) < 310
    assert quoted(" \n", "k") == ""
    asked = "GET https://me:pass@h/v1?alt=sse&key=AIza-1 failed"
    assert quoted(asked, None) == ": GET https://***@h/v1?alt=sse&key=*** failed"


def test_an_address_is_shown_without_its_password() -> None:
    address = "https://me:pa55word@gateway/v1"
    said = str(unreachable("openai/x", address, f"no route to {address}"))
    assert said.count("gateway/v1") == 2
    assert "pa55word" not in said


def test_a_provider_says_why_a_key_has_no_right() -> None:
    said = from_status("m/x", 403, "not in your country", headers={}, variable="M_KEY", key="k-secret")
    assert "not in your country" in str(said)


@pytest.mark.parametrize(
    ("status", "words", "cannot"),
    [
        (400, "'claude-3-haiku' does not support output_config.format", True),
        (400, "This response_format type is unavailable now", True),
        (400, "prompt is too long for json_schema", False),
        (500, "response_format", False),
        (400, "messages: at least one message is required", False),
    ],
)
def test_which_refusal_means_that_a_schema_cannot_be_held_to(status: int, words: str, cannot: bool) -> None:
    assert holds_to_no_schema(status, words) is cannot
