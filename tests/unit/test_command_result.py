"""What the end of a command means, and what its output becomes."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.child.output import Captured
from picoclaw.capabilities.child.run import ChildEnd
from picoclaw.capabilities.command.executor import meaning_of
from picoclaw.capabilities.command.result import make_summary, read_data
from picoclaw.capabilities.definitions.schema import CommandDefinition
from picoclaw.capabilities.function.answer import read_answer, summary_of
from picoclaw.capabilities.function.call import arguments, failure, known_arguments, serialised
from picoclaw.errors import FinalError, RetryableError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def defined(**keys: Any) -> CommandDefinition:
    return CommandDefinition.model_validate({"shell": "x", **keys})


def end(**how: Any) -> ChildEnd:
    return ChildEnd(**{"code": None, "stdout": Captured(keep=1, cap=1), "stderr": b"", "seconds": 0.1, **how})


@pytest.mark.parametrize(
    ("codes", "how", "meaning"),
    [
        ({}, {"code": 0}, "done"),
        ({}, {"code": 1}, "failed"),
        ({"1": "done"}, {"code": 1}, "done"),
        ({"01": "done"}, {"code": 1}, "done"),
        ({"0": "failed"}, {"code": 0}, "failed"),
        ({"other": "retry", "2": "failed"}, {"code": 2}, "failed"),
        ({"other": "retry", "2": "failed"}, {"code": 3}, "retry"),
        ({"other": "retry"}, {"code": 0}, "done"),
        ({}, {"signal": 9}, "retry"),
        ({"signal": "failed"}, {"signal": 9}, "failed"),
        ({}, {"signal": 24}, "failed"),
        ({}, {"timed_out": True, "signal": 15}, "failed"),
        ({"timeout": "retry"}, {"timed_out": True, "code": 0}, "retry"),
        ({"timeout": "retry", "0": "done"}, {"flooded": True, "code": 0}, "failed"),
    ],
)
def test_what_an_end_means(codes: dict[str, str], how: dict[str, Any], meaning: str) -> None:
    assert meaning_of(defined(exit_codes=codes), end(**how))[0] == meaning


def data_of(body: CommandDefinition, printed: bytes) -> Any:
    return read_data(body, "mine", printed, printed)


def test_output_becomes_text_lines_or_json() -> None:
    assert data_of(defined(), b"a\n\nb\r\n\n") == "a\n\nb"
    assert data_of(defined(result="lines"), b"a\r\n\nb\n") == ["a", "", "b"]
    assert data_of(defined(result="lines"), b"") == []
    assert data_of(defined(result="json"), b' {"a": [1, {"b": null}]} ') == {"a": [1, {"b": None}]}
    assert data_of(defined(result="json", result_path="a.1.b"), b'{"a": [1, {"b": null}]}') is None


@pytest.mark.parametrize(
    ("path", "printed", "words"),
    [
        (None, b"", "its output is not JSON (it printed nothing)"),
        (None, b"oops\n", "its output is not JSON (it begins with 'oops', Expecting value"),
        (None, b"NaN", "its output is not JSON"),
        (None, b'"\\ud800"', "half a character"),
        (None, b"\xff", "its output is not JSON"),
        (None, b"[" * 100_000, "its output is nested too deep"),
        (None, b"[" * 200 + b"]" * 200, "its output is nested too deep, over 150 levels"),
        ("a.b", b'{"a": {"c": 1, "d": 2}}', "its JSON has no a.b (there is: c, d)"),
        ("a.7", b'{"a": [1]}', "its JSON has no a.7 (there stands a list of 1)"),
        ("a", b"3", "its JSON has no a (there stands a number)"),
    ],
)
def test_json_that_is_not_what_was_promised_is_said(path: str | None, printed: bytes, words: str) -> None:
    keys = {"result_path": path} if path else {}
    with pytest.raises(FinalError) as refused:
        data_of(defined(result="json", **keys), printed)
    assert words in str(refused.value)


@given(st.binary(max_size=300), st.sampled_from(["text", "lines", "json"]))
def test_any_output_is_data_or_refused(printed: bytes, form: str) -> None:
    try:
        serialised(data_of(defined(result=form), printed))
    except FinalError as error:
        assert form == "json", error  # noqa: PT017


def test_the_summary_is_the_templates_or_the_one_line_that_was_printed() -> None:
    facts: dict[str, Any] = {"exit_code": 1, "seconds": 0.5}
    body = defined(summary="${exit_code} in ${seconds} s: ${result.n} for ${text}")
    assert make_summary(body, {"text": "you"}, {"n": 3}, 9, facts) == "1 in 0.5 s: 3 for you"
    assert make_summary(defined(), {}, "one  line", 9, facts) == "one line"
    assert make_summary(defined(), {}, "two\nlines", 2048, facts) == "exit code 1, 2 KB of output"
    assert make_summary(defined(), {}, "", 0, facts) == "no output"
    assert len(make_summary(defined(), {}, "x" * 999, 9, facts)) == 300
    lacking = make_summary(defined(summary="${result.m}"), {}, {"n": 3}, 9, facts)
    assert lacking == "done, but for its summary: ${result.m}: there is no 'm' in it (there is: n)"


# --- functions ---

VALUES: dict[str, Any] = {
    "text": "hello", "repository": None, "workspace": "/w", "input": {"depth": 2, "other": "x"},
    "inputs": {"first": {"summary": "s", "data": 1}},
}  # fmt: skip


def called(function: Any) -> Any:
    positional, named = arguments(function, VALUES)
    return function(*positional, **named)


def test_a_function_gets_what_its_signature_asks_for() -> None:
    def everything(text, /, depth, *rest, inputs, workspace, repository=1, absent=7, **more):  # type: ignore[no-untyped-def]
        return text, depth, rest, inputs["first"]["data"], str(workspace), repository, absent, more

    assert called(everything) == ("hello", 2, (), 1, "/w", None, 7, {"other": "x"})
    assert called(lambda: 1) == 1
    assert called(lambda input: input) == {"depth": 2, "other": "x"}
    assert set(known_arguments(VALUES)) == {"text", "input", "inputs", "repository", "workspace", "progress"}


def test_an_input_cannot_take_the_place_of_what_every_task_brings() -> None:
    values = {**VALUES, "input": {"repository": "/etc", "progress": "x"}}
    positional, named = arguments(lambda repository, progress: None, values)
    assert (positional, named["repository"]) == ([], None)
    assert callable(named["progress"])


class Later(Exception):
    retry = True
    delay = timedelta(seconds=3)


class Never(Exception):
    retry = False


@pytest.mark.parametrize(
    ("error", "retry"),
    [
        (KeyError("x"), True),
        (ValueError("x"), False),
        (TypeError("x"), False),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "x"), True),
        (Later("x"), True),
        (Never("x"), False),
        (FinalError("x"), False),
        (RetryableError("x"), True),
        (KeyboardInterrupt(), True),
    ],
)
def test_what_an_exception_means(error: BaseException, retry: bool) -> None:
    assert failure(error)["retry"] == retry
    kind = RetryableError if retry else FinalError
    import json

    with pytest.raises(kind, match=type(error).__name__) as raised:
        read_answer("mine", json.dumps(failure(error)).encode())
    if isinstance(error, Later) and isinstance(raised.value, RetryableError):
        assert raised.value.delay == timedelta(seconds=3)


def test_a_value_is_summed_up() -> None:
    values: tuple[Any, ...] = (None, "one", "a\nb", [1], {"a": 1, "b": 2}, 3, True)
    assert [summary_of(value) for value in values] == [
        "done", "one", "2 lines", "1 entry", "2 keys: a, b", "3", "true",
    ]  # fmt: skip
