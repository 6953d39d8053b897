"""Scripts of the fake model server: read with the place of each mistake, and played as they say."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.fake_llm.asked import Asked
from picoclaw.capabilities.agent.fake_llm.decide import Given, answer, choose
from picoclaw.capabilities.agent.fake_llm.pieces import chunks, words
from picoclaw.capabilities.agent.fake_llm.script import Script
from picoclaw.capabilities.agent.fake_llm.script_file import default_script, load_script, read_script
from picoclaw.capabilities.agent.models.conversation import (
    Assistant,
    Message,
    ToolAnswer,
    ToolCall,
    ToolSpec,
    User,
)
from picoclaw.errors import ConfigError
from picoclaw.roles.planning.by_model.answer import CHANGE_SCHEMA, PLAN_SCHEMA, read_change, read_plan
from picoclaw.roles.planning.by_model.menu import Choice, Menu
from picoclaw.roles.planning.by_model.prompt import ask_for_plan, looker, planner
from picoclaw.swarm.records import Request

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

GLOB = ToolSpec(
    name="glob",
    description="",
    schema={"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]},
)
BASH = ToolSpec(name="bash", description="", schema={"type": "object", "properties": {}})


def asked(*said: str | Message, **more: Any) -> Asked:
    messages = tuple(User(text=one) if isinstance(one, str) else one for one in said)
    told = {"protocol": "anthropic", "model": "claude-x", "system": "", **more}
    return Asked(messages=messages, **told)


def script(*rules: Mapping[str, Any], **top: Any) -> Script:
    return read_script(yaml.safe_dump({**top, "rules": list(rules)}, sort_keys=False), "talk.yaml")


def play(of: Script, question: Asked, used: Mapping[str, int] | None = None) -> Given:
    rule = choose(of, used or {}, question)
    assert rule is not None
    return answer(rule, question)


def test_a_date_is_that_of_a_wait() -> None:
    with pytest.raises(ConfigError, match="as_date: says how retry_after goes out"):
        script({"answer": {"error": {"kind": "rate_limited", "as_date": True}}})


def after_tool(name: str, result: str, text: str = "go") -> tuple[Message, ...]:
    return (
        User(text=text),
        Assistant(calls=(ToolCall(id="c1", name=name, arguments={}),)),
        ToolAnswer(call="c1", name=name, text=result),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "talk.yaml:1: a script is KEY: VALUE lines"),
        ("rules: []", "talk.yaml:1: a script has rules"),
        ("ruels: []", "unknown key 'ruels' in a script; did you mean 'rules'?"),
        ("rules:\n  - answer: {txet: hi}", "talk.yaml:2: unknown key 'txet' in an answer; did you mean 'text'?"),
        ("rules:\n  - when: {modle: x}\n    answer: hi", "did you mean 'model'?"),
        ("rules:\n  - when: {user: '('}\n    answer: hi", "talk.yaml:2: user: '(' is no regular expression"),
        ("rules:\n  - answer: 'Hi ${nmae}'\n    when: {user: '(?P<name>.*)'}", "unknown reference ${nmae}; did you mean"),
        ("rules:\n  - answer: '${2}'\n    when: {user: '(a)'}", "unknown reference ${2}"),
        ("rules:\n  - times: 1", "either `answer:` or `turns:`"),
        ("rules:\n  - answer: hi\n    turns: [hi]", "either `answer:` or `turns:`"),
        ("rules:\n  - turns: []", "turns: wants at least one answer"),
        ("rules:\n  - answer: hi\n    times: 0", "times: is a whole number, 1 or more"),
        ("rules:\n  - answer: {error: overlaoded}", "'overlaoded' is none; did you mean 'overloaded'?"),
        ("rules:\n  - answer: {error: {status: 429}}", "error: wants a kind"),
        ("rules:\n  - answer: {error: {kind: invalid, status: 200}}", "whole number, 400 or more"),
        ("rules:\n  - answer: {slow: 3}", "3 has no unit: write 3s"),
        ("rules:\n  - answer: {tools: [bash]}", "`- bash: {command: ls}`"),
        ("rules:\n  - answer: {tools: {bash: {}}}", "is a list"),
        ("rules:\n  - answer: {text: a, json: {}}", "one of text and json"),
        ("rules:\n  - answer: {text: a, error: overloaded}", "one of text and error"),
        ("rules:\n  - answer: {stop: tool}", "did you mean 'tools'?"),
        ("rules:\n  - name: a\n    answer: x\n  - name: a\n    answer: y", "talk.yaml:4: two rules are called 'a'"),
        ("rules:\n  - answer: a\n    when: {turn: 0}", "turn: is a number from 1 on"),
        ("models: [1]\nrules:\n  - answer: a", "models: holds texts: put 1 in quotes"),
        ("rules:\n  - answer: *x", "talk.yaml:2: aliases"),
        ("rules: [\n", "talk.yaml:"),
        ("rules:\n  - answer: [a]", "an answer is KEY: VALUE lines"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_script(text, "talk.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("talk.yaml:")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml is not there"):
        load_script(tmp_path / "none.yaml")


def test_the_first_rule_that_matches_answers() -> None:
    of = script(
        {"when": {"model": "^gpt"}, "answer": "gpt"},
        {"when": {"system": "coordinator"}, "answer": "plan"},
        {"when": {"user": "(?P<what>\\w+) please", "stream": True}, "answer": "${what}, at once, ${1}"},
        {"when": {"tool": "bash", "result": "exit (\\d+)"}, "answer": "it ended with ${1}"},
        {"when": {"tool": True}, "answer": "${tool} said ${result}"},
        {"when": {"offers": ["bash", "glob"]}, "answer": "both"},
        {"when": {"turn": [2, 3]}, "answer": "turn ${turn}"},
        {"answer": "$${user} is ${user}"},
    )
    assert play(of, asked("x", model="gpt-5")).text == "gpt"
    assert play(of, asked("x", system="you are a coordinator")).text == "plan"
    assert play(of, asked("tea please", stream=True)).text == "tea, at once, tea"
    assert play(of, asked(*after_tool("bash", "exit 3"))).text == "it ended with 3"
    assert play(of, asked(*after_tool("read", "exit 3"))).text == "read said exit 3"
    assert play(of, asked("x", tools=(GLOB, BASH))).text == "both"
    assert play(of, asked("x", Assistant(text="y"), "z")).text == "turn 2"
    assert play(of, asked("tea please")).text == "${user} is tea please"


def test_a_rule_answers_so_many_times_and_then_the_next_does() -> None:
    of = script({"name": "busy", "times": 2, "answer": {"error": "overloaded"}}, {"answer": "well"})
    assert play(of, asked("x"), {"busy": 1}).error is not None
    assert play(of, asked("x"), {"busy": 2}).text == "well"


def test_turns_of_a_conversation_get_their_answers_and_the_last_stays() -> None:
    of = script({"turns": [{"tools": [{"bash": {"command": "echo ${user}"}}]}, "done: ${result}"]})
    first = play(of, asked("me"))
    assert (first.calls[0].arguments, first.stop) == ('{"command": "echo me"}', "tools")
    assert play(of, asked(*after_tool("bash", "me"))).text == "done: me"
    assert play(of, asked(*after_tool("bash", "me"), Assistant(text="done"), "more")).text == "done: "


def test_an_answer_stops_where_the_question_says() -> None:
    given = play(script({"answer": "word " * 100}), asked("x", max_tokens=10))
    assert (given.stop, len(given.text)) == ("length", 40)


def test_figures_are_counted_or_said() -> None:
    of = script({"answer": {"text": "abcdefgh", "usage": {"input": 500, "cache_read": 400}}})
    counted = play(of, asked("x", tokens=7)).counted
    assert (counted.input, counted.output, counted.cache_read, counted.cache_write) == (500, 2, 400, 0)


def test_broken_arguments_are_no_json() -> None:
    of = script({"answer": {"tools": [{"bash": {"command": "ls"}}], "malformed": "arguments"}})
    with pytest.raises(ValueError, match="char"):
        json.loads(play(of, asked("x")).calls[0].arguments)
    raw = script({"answer": {"tools": [{"bash": "[1, 2"}]}})
    assert play(raw, asked("x")).calls[0].arguments == "[1, 2"


def test_slowness_is_two_durations() -> None:
    given = play(script({"answer": {"text": "x", "slow": {"first": "2s", "between": "50ms"}}}), asked("x"))
    assert (given.first, given.between) == (timedelta(seconds=2), timedelta(milliseconds=50))
    assert play(script({"answer": {"text": "x", "slow": "2s"}}), asked("x")).first == timedelta(seconds=2)


MENU = Menu((Choice("code", 2), Choice("general", 1, "an agent"), Choice("writing", 1)))


def test_the_default_plans_what_the_coordinator_takes() -> None:
    request = Request(id="r-abcdefghijklmnop", text="Find out\nwhat this is", key_digest="ab" * 32)
    question = asked(ask_for_plan(request, MENU), system=planner(), schema=PLAN_SCHEMA)
    plan = read_plan(play(default_script(), question).text)
    assert [(task.step, task.demand) for task in plan.tasks] == [("look", "general"), ("answer", "general")]
    assert plan.tasks[1].text == "Find out\nwhat this is"
    change = play(default_script(), asked("…", system=looker(), schema=CHANGE_SCHEMA))
    assert read_change(change.text).add == ()


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (("agent:aardvark", "agent:assistant", "code", "research"), "agent:assistant"),
        (("agent:aardvark", "research"), "research"),
        (("agent:aardvark", "agent:zebra", "code"), "agent:aardvark"),
    ],
)
def test_the_default_takes_an_agent_of_ones_own_where_nobody_else_takes_words(
    there: tuple[str, ...], wanted: str
) -> None:
    request = Request(id="r-abcdefghijklmnop", text="Find out", key_digest="ab" * 32)
    menu = Menu(tuple(Choice(demand, 1, "says something") for demand in there))
    question = asked(ask_for_plan(request, menu), system=planner(), schema=PLAN_SCHEMA)
    assert {task.demand for task in read_plan(play(default_script(), question).text).tasks} == {wanted}


def test_the_default_uses_a_harmless_tool_once_and_ends() -> None:
    first = play(default_script(), asked("go", tools=(BASH, GLOB)))
    assert [(call.name, call.arguments) for call in first.calls] == [("glob", '{"pattern": "*"}')]
    last = play(default_script(), asked(*after_tool("glob", "a.py"), tools=(BASH, GLOB)))
    assert (last.calls, last.stop) == ((), "end")
    assert "I used glob, which said:\n\na.py" in last.text


@given(st.text(max_size=300))
def test_pieces_are_the_whole_text(text: str) -> None:
    for pieces in (list(words(text)), list(chunks(text))):
        assert "".join(pieces) == text
        assert all(pieces)
