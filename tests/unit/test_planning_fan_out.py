"""Fan-out: how many tasks a step becomes, what they are called and given, and what is refused."""

import itertools
import time
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from picoclaw.config.names import STEP
from picoclaw.errors import PlanError
from picoclaw.roles.planning.plan import make_plan
from picoclaw.roles.planning.template import Template, read_template
from picoclaw.roles.planning.validate import MAX_TASKS, validate
from picoclaw.swarm.records import Plan, RepositoryRef, Request, Task

pytestmark = [pytest.mark.unit, pytest.mark.timeout(40)]

FAN = """
name: fan
inputs:
  things: {type: list}
  repositories: {type: repositories}
  shards: {type: number, default: 3}
  deep: {type: flag}
  note: {type: text, default: none}
tasks:
"""


def template(tasks: str) -> Template:
    return read_template(FAN + tasks, "fan.yaml")


def plan(tasks: str, **inputs: JsonValue) -> Plan:
    """The validated plan of a template of these tasks."""
    request = Request(
        id="r", key_digest="0", text="do it", workflow=template(tasks).to_json(), input=dict(inputs)
    )
    return validate(make_plan(request, ()))


def steps(found: Sequence[Task]) -> list[str]:
    return [task.step for task in found]


json_scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(
    things=st.lists(json_values, min_size=1, max_size=30),
    group=st.sampled_from(["", "shards: 4", "batch: 4"]),
)
def test_every_item_is_in_exactly_one_task_whole_and_each_task_has_a_name_of_its_own(
    things: list[JsonValue], group: str
) -> None:
    line = f"- {{step: do, demand: code, for_each: things, {f'{group}, ' if group else ''}input: {{it: '${{item}}'}}}}"
    made = plan(line, things=things)
    tasks = made.tasks

    n = len(things)
    assert len(tasks) == {"": n, "shards: 4": min(4, n), "batch: 4": -(-n // 4)}[group]
    assert steps(tasks) == [f"do-{i}" for i in range(1, len(tasks) + 1)]
    assert all(STEP.fullmatch(task.step) for task in tasks)
    given_items = [task.input["it"] for task in tasks]
    if group == "shards: 4":
        dealt = [iter(share) for share in given_items if isinstance(share, list)]
        back = [
            item for row in itertools.zip_longest(*dealt, fillvalue=...) for item in row if item is not ...
        ]
        assert max(map(len, map(list, given_items))) - min(map(len, map(list, given_items))) <= 1  # type: ignore[arg-type]
    elif group:
        back = [item for share in given_items if isinstance(share, list) for item in share]
    else:
        back = given_items
    assert back == things
    assert plan(line, things=things) == made


@given(st.text(max_size=60), st.text(max_size=10))
def test_what_a_value_holds_is_never_read_as_a_reference(item: str, note: str) -> None:
    (task,) = plan(
        '- {step: do, demand: code, for_each: things, input: {a: "${item}", b: "<${item}|${inputs.note}>", c: "$${item}"}}',
        things=[item],
        note=note,
    ).tasks
    assert task.input == {"text": "do it", "a": item, "b": f"<{item}|{note}>", "c": "${item}"}


@given(item=json_values)
def test_a_reference_alone_keeps_the_type_of_its_value(item: JsonValue) -> None:
    (task,) = plan(
        '- {step: do, demand: code, for_each: things, input: {deep: {list: ["${item}"]}}}', things=[item]
    ).tasks
    assert task.input["deep"] == {"list": [item]}


def test_numbers_flags_and_repositories_can_stand_inside_a_text() -> None:
    (task,) = plan(
        '- {step: do, title: "${item} ${index}/${count} ${inputs.deep} ${inputs.shards} ${text}", demand: code, '
        'for_each: repositories, repository: "${item}"}',
        repositories=[{"label": "alpha", "url": "https://example.org/a.git", "commit": "1" * 40}],
        deep=True,
        shards=2.5,
    ).tasks
    assert task.title == "alpha 1/1 true 2.5 do it"
    assert task.repository == RepositoryRef(label="alpha", url="https://example.org/a.git", commit="1" * 40)


def test_a_list_inside_a_text_is_refused() -> None:
    with pytest.raises(PlanError, match=r"key tasks\.0\.title: \$\{item\} is a list: it cannot stand inside"):
        plan('- {step: do, title: "a ${item}", demand: code, for_each: things, batch: 2}', things=[1])


def test_what_comes_after_a_step_that_fans_out_comes_after_all_of_its_tasks_or_after_its_own() -> None:
    made = plan(
        """
- {step: look, demand: code, for_each: things}
- {step: mend, demand: code, for_each: things, after: "look-${index}"}
- {step: tell, demand: docs, after: [look, mend], needs: settled}
""",
        things=["a", "b"],
    )
    after = {task.step: task.after for task in made.tasks}
    assert after["mend-1"] == ("look-1",)
    assert after["mend-2"] == ("look-2",)
    assert after["tell"] == ("look-1", "look-2", "mend-1", "mend-2")


def test_a_task_left_out_takes_its_dependencies_along() -> None:
    tasks = """
- {step: deep, demand: code, when: deep}
- {step: all, demand: code, after: deep}
"""
    assert steps(plan(tasks).tasks) == ["all"]
    assert plan(tasks).tasks[0].after == ()
    assert steps(plan(tasks, deep=True).tasks) == ["deep", "all"]
    assert steps(plan(tasks, deep=False).tasks) == ["all"]


def test_the_titles_of_items_say_what_they_are_about() -> None:
    made = plan("- {step: do, demand: code, for_each: [a/b.py, 7, {label: alpha}, [1]]}")
    assert [task.title for task in made.tasks] == ["do: a/b.py", "do: 7", "do: alpha", "do-4"]


def test_a_demand_may_come_from_an_input_and_is_checked_like_any_other() -> None:
    tasks = '- {step: do, demand: "code@zone=${inputs.note}"}'
    assert plan(tasks, note="eu").tasks[0].demand == "code@zone=eu"
    with pytest.raises(PlanError, match="label"):
        plan(tasks, note="a@b")


def test_with_declared_inputs_a_task_gets_only_what_it_names() -> None:
    (task,) = plan("- {step: do, demand: code, input: {k: 1}}", things=list(range(1000))).tasks
    assert task.input == {"text": "do it", "k": 1}


@pytest.mark.parametrize(
    ("tasks", "inputs", "message"),
    [
        ("- {step: a, demand: code, for_each: things}", {}, "there is nothing to do"),
        (
            "- {step: a, demand: code, for_each: things}",
            {"things": "a"},
            "'things' is a text, and is to be a list",
        ),
        ("- {step: a, demand: code}", {"thing": 1}, "no input 'thing'; did you mean 'things'?"),
        ("- {step: a, demand: code}", {"deep": "yes"}, "'deep' is a text, and is to be true or false"),
        ("- {step: a, demand: code}", {"shards": True}, "'shards' is true or false, and is to be a number"),
        ("- {step: a, demand: code}", {"repositories": ["/etc"]}, "entry 1 is no reference to a repository"),
        ("- {step: a, demand: code}", {"repositories": [{}]}, "entry 1 names no repository"),
        (
            '- {step: a, demand: code, for_each: things, shards: "${inputs.shards}"}',
            {"things": [1], "shards": 0},
            "is to be a whole number above 0",
        ),
        (
            "- {step: a, demand: code, for_each: things}",
            {"things": list(range(MAX_TASKS + 1))},
            r"50,001 tasks, 50,000 are allowed \(50,001 of step 'a'\): group its items with shards or batch",
        ),
        (
            "- {step: a, demand: code, for_each: things}\n- {step: b, demand: code, after: a}",
            {"things": list(range(300))},
            r"'b' waits for 300 tasks \('a'\), 256 are allowed",
        ),
        (
            '- {step: a, demand: code, for_each: [1]}\n- {step: b, demand: code, for_each: [1, 2], after: "a-${index}"}',
            {},
            "'b-2' waits for 'a-2', which is not there: are the lists as long",
        ),
        (
            '- {step: a, demand: code, for_each: things, title: "${item.x}"}',
            {"things": [1]},
            "stands for nothing",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_one_line(
    tasks: str, inputs: dict[str, JsonValue], message: str
) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        plan(tasks, **inputs)
    assert "\n" not in str(caught.value)
    assert "template 'fan'" in str(caught.value)


def test_fifty_thousand_tasks_are_planned() -> None:
    made = plan("- {step: a, demand: code, for_each: things}", things=list(range(MAX_TASKS)))
    assert len(made.tasks) == MAX_TASKS


def test_a_plan_that_no_memory_holds_is_refused_before_it_is_made() -> None:
    tasks = "- {step: a, demand: code, for_each: things, input: {ask: 'of ${item}: ${inputs.note}'}}"
    tracemalloc.start()
    try:
        with pytest.raises(PlanError, match=r"tasks have over 64\.0 MiB together"):
            plan(tasks, things=list(range(MAX_TASKS)), note="n" * 100_000)
        assert tracemalloc.get_traced_memory()[1] < 400 * 2**20, "of the 5 GB that all of them would have"
    finally:
        tracemalloc.stop()


def test_a_workflow_of_thousands_of_steps_that_wait_is_planned_in_a_moment() -> None:
    steps_of = "".join(f"- {{step: s{i}, demand: code, after: [first]}}\n" for i in range(4000))
    found = template("- {step: first, demand: code}\n" + steps_of)
    request = Request(id="r", key_digest="0", text="do it", template="fan")
    began = time.process_time()
    assert len(make_plan(request, [found]).tasks) == 4001
    assert time.process_time() - began < 2, "it took 6 s where each step looked at all others"


def test_a_required_list_that_is_empty_is_named() -> None:
    text = "name: a\ninputs: {x: {type: list, required: true}}\ntasks: [{step: a, demand: code, for_each: x}]"
    found = read_template(text, "a.yaml")
    brought: list[tuple[dict[str, JsonValue], str]] = [({}, "missing"), ({"x": []}, "an empty list")]
    for given_input, what in brought:
        request = Request(id="r", key_digest="0", text="x", workflow=found.to_json(), input=given_input)
        with pytest.raises(PlanError, match=f"input 'x' is {what}: give a list with --input x="):
            make_plan(request, ())


def test_a_template_that_travels_is_the_same_and_as_strictly_read() -> None:
    own = read_template(
        FAN
        + '- {step: a, demand: "node:x", capability: code, for_each: things, batch: 2, after: [], grace_s: 0}\n'
        + "join: {as: table, columns: {a: data.a}, totals: [a]}\npartial: fail\n",
        "a.yaml",
    )
    request = Request(id="r", key_digest="0", text="x", workflow=own.to_json(), input={"things": [1]})
    sent = Request.from_bytes(request.to_bytes())
    made = make_plan(sent, ())
    assert (made.join, made.partial, made.template) == ("table", "fail", "fan")
    assert made.tasks[0].capability == "code"
    assert made == make_plan(request.model_copy(update={"workflow": None, "template": "fan"}), [own])
    for wrong in ([1], "fan", {"name": "fan"}, {**(own.to_json() or {}), "jion": 1}):  # type: ignore[dict-item]
        with pytest.raises(PlanError, match="the request's workflow"):
            make_plan(request.model_copy(update={"workflow": wrong}), ())


def test_a_workflow_and_a_capability_together_contradict_each_other() -> None:
    own = template("- {step: a, demand: code}").to_json()
    with pytest.raises(PlanError, match="give one of them"):
        make_plan(Request(id="r", key_digest="0", text="x", demand="code", workflow=own), ())
