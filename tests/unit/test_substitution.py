"""Substitution: what a task brings is filled in as text, one argument each, and never as anything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from picoclaw.capabilities.command.variables import script_variables
from picoclaw.capabilities.definitions.substitution import fill, fill_all, read_pattern
from picoclaw.errors import ConfigError, FinalError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def values(**given: JsonValue) -> dict[str, JsonValue]:
    plain: dict[str, JsonValue] = {
        "text": "hello", "workspace": "/w", "here": "/h", "request": "r-1", "task": "r-1.t", "attempt": 1,
        "repository": None, "input": {}, "inputs": {},
    }  # fmt: skip
    return plain | given


def argv(*templates: str, **given: JsonValue) -> list[str]:
    return fill_all([read_pattern(template, whole_list=True) for template in templates], values(**given))


@given(st.text().filter(lambda text: not text.startswith("-")))
def test_any_text_stays_one_argument_as_it_is(text: str) -> None:
    assert argv("prog", "${text}", "a${text}b", text=text) == ["prog", text, f"a{text}b"]


@given(st.text())
def test_what_a_task_brings_is_not_looked_at_for_references(text: str) -> None:
    assert fill(read_pattern("<${text}>"), values(text=text + "${workspace}")) == f"<{text}${{workspace}}>"


@given(st.text())
def test_a_text_without_references_is_itself_once_escaped(text: str) -> None:
    pattern = read_pattern(text.replace("${", "$${"))
    assert pattern.literal is not None
    assert pattern.literal.count("${") == text.count("${")


@given(st.text())
def test_any_template_is_read_or_refused(text: str) -> None:
    try:
        pattern = read_pattern("${" + text)
    except ConfigError:
        return
    assert pattern.literal is None


@given(json_values)
def test_a_value_that_is_no_text_is_filled_in_as_json(value: Any) -> None:
    if value is None:
        with pytest.raises(FinalError, match=r"brings no input 'x'"):
            argv("prog", "--", "${input.x}", input={"x": value})
        return
    (_, _, filled) = argv("prog", "--", "${input.x}", input={"x": value})
    assert filled == value if isinstance(value, str) else json.loads(filled) == value


def test_the_way_into_a_value_goes_through_mappings_and_lists() -> None:
    deep: JsonValue = {"rows": [{"name": "a"}, {"name": "b"}]}
    assert argv("p", "${input.deep.rows.1.name}", input={"deep": deep}) == ["p", "b"]
    step: JsonValue = {"summary": "two", "data": deep}
    assert argv("p", "${inputs.first.summary}", "${inputs.first.data.rows.0.name}", inputs={"first": step}) == [
        "p", "two", "a",
    ]  # fmt: skip


def test_a_default_stands_in_for_what_is_not_there() -> None:
    assert argv("p", "${input.depth:-2}", "${repository:-none}", "${inputs.a.data.b:-}") == [
        "p",
        "2",
        "none",
        "",
    ]


def test_a_list_becomes_arguments() -> None:
    assert argv("p", "--", "${input.files[*]}", "end", input={"files": ["a b", "-c", 3]}) == [
        "p", "--", "a b", "-c", "3", "end",
    ]  # fmt: skip
    assert argv("p", "${input.files[*]}", input={"files": []}) == ["p"]


@pytest.mark.parametrize(
    ("template", "given", "words"),
    [
        ("${input.depth}", {}, "${input.depth}: the request brings no input 'depth'"),
        ("${input.depth}", {"input": {"width": 1}}, "(there is: width)"),
        ("${input.a.b.c}", {"input": {"a": {"b": {"d": 1}}}}, "there is no 'c' in it (there is: d)"),
        ("${inputs.first.data}", {}, "this task builds on no step 'first': add it to `after`"),
        ("${repository}", {}, "needs a repository and this task has none: add --repo"),
        ("${input.a[*]}", {"input": {"a": "x"}}, "${input.a[*]} is no list: this task's is a text"),
        ("${text}", {"text": "-rf"}, "the value of ${text} begins with '-'"),
        ("${input.a[*]}", {"input": {"a": ["x", "--y"]}}, "begins with '-'"),
    ],
)
def test_what_a_task_lacks_is_named(template: str, given: dict[str, JsonValue], words: str) -> None:
    with pytest.raises(FinalError) as refused:
        argv("p", template, **given)
    assert words in str(refused.value)


def test_an_option_of_its_own_and_what_follows_two_dashes_may_begin_with_a_dash() -> None:
    assert argv("p", "-n", "--name=${text}", "--", "${text}", text="-x") == [
        "p",
        "-n",
        "--name=-x",
        "--",
        "-x",
    ]


# --- variables of a script ---


def test_a_script_finds_it_all_in_variables() -> None:
    found = script_variables(
        "",
        values(
            input={"depth": 2, "two words": "a", "list": [1]},
            inputs={"first": {"summary": "s", "data": {"n": 1}}, "bare": {"summary": "s", "data": None}},
        ),
    )
    assert found == {
        "TASK_TEXT": "hello", "TASK_REPOSITORY": "", "TASK_WORKSPACE": "/w", "TASK_HERE": "/h",
        "TASK_REQUEST": "r-1", "TASK_ID": "r-1.t", "TASK_ATTEMPT": "1", "TASK_INPUT_DEPTH": "2",
        "TASK_INPUT_TWO_WORDS": "a", "TASK_INPUT_LIST": "[1]", "TASK_INPUTS_FIRST": '{"n": 1}',
        "TASK_INPUTS_BARE": "s",
    }  # fmt: skip


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=4))
def test_whatever_an_input_is_called_its_variable_is_one_of_ours(given: dict[str, Any]) -> None:
    try:
        found = script_variables("", values(input=given))
    except FinalError as error:
        assert "two inputs of this task would both be TASK_INPUT_" in str(error)  # noqa: PT017
        return
    assert all(name.startswith("TASK_") and name.replace("_", "").isalnum() for name in found)


@pytest.mark.parametrize("value", ["x" * 200_000, "nul\0", "half \ud800"])
def test_what_no_variable_holds_is_left_out_or_named_where_the_script_wants_it(value: str) -> None:
    assert "TASK_TEXT" not in script_variables("echo", values(text=value))
    with pytest.raises(FinalError, match=r"^TASK_TEXT .*read it from the file \$TASK_FILE"):
        script_variables('echo "$TASK_TEXT"', values(text=value))
