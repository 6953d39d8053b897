"""Templates that cannot work: each is told the file, the line and the key, in one line."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picoclaw.errors import PlanError
from picoclaw.roles.planning.document import MAX_CHARACTERS, read_document
from picoclaw.roles.planning.template import read_template

pytestmark = [pytest.mark.unit, pytest.mark.timeout(40)]

HEAD = """name: mine
inputs:
  things: {type: list}
  repositories: {type: repositories}
  number: {type: number}
  note: {}
tasks:
"""
"""Seven lines: what follows begins at line 8."""


def said_of(text: str) -> str:
    """What a text is told that is perhaps a template; nothing if it is one."""
    try:
        read_template(text, "any.yaml")
    except PlanError as error:
        return str(error)
    return ""


def refusal(text: str) -> str:
    with pytest.raises(PlanError) as caught:
        read_template(text, "mine.yaml")
    said = str(caught.value)
    assert "mine.yaml" in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("tasks", "line", "message"),
    [
        (
            "- {step: a, demand: code, for_eech: things}",
            8,
            "unknown key tasks.0.for_eech; did you mean 'for_each'?",
        ),
        ("- {step: a, demand: code, for_each: thinks}", 8, "no input 'thinks'; did you mean 'things'?"),
        (
            "- {step: a, demand: code, for_each: note}",
            8,
            "'note' is of type text: only files, list, repositories",
        ),
        ("- {step: a, demand: code, for_each: 'things}'}", 8, "there is no input 'things}'"),
        ("- {step: a, demand: code, for_each: []}", 8, "key tasks.0.for_each: the list is empty"),
        ("- {step: a, demand: code, when: nope}", 8, "key tasks.0.when: there is no input 'nope'"),
        ("- {step: a, demand: code, shards: 2}", 8, "key tasks.0.shards: it needs for_each"),
        ("- {step: a, demand: code, for_each: things, shards: 2, batch: 2}", 8, "do not go together"),
        (
            "- {step: a, demand: code, for_each: things, shards: 0}",
            8,
            "key tasks.0.shards: input should be greater",
        ),
        ("- {step: a, demand: code, for_each: things, shards: many}", 8, "'many' is no number"),
        (
            '- {step: a, demand: code, for_each: things, shards: "${inputs.note}"}',
            8,
            "input 'note' is of type text, and is to be a number",
        ),
        ("- step: a\n  demand: code\n  title: ${item}", 10, "key tasks.0.title: ${item} needs for_each"),
        (
            "- step: a\n  demand: code\n  input:\n    deep: [1, '${inputs.notes}']",
            11,
            "key tasks.0.input.deep.1: unknown ${inputs.notes}; did you mean 'inputs.note'?",
        ),
        ("- {step: a, demand: code, title: '${inputs}'}", 8, "unknown ${inputs}"),
        ("- {step: a, demand: code, title: '${HOME}'}", 8, "unknown ${HOME} (there is: text, inputs.things"),
        ("- {step: a, demand: code, title: 'x ${text'}", 8, "is not closed: close it, or write $${"),
        ("- {step: a, demand: code, repository: yes please}", 8, "write true, false, or ${item}"),
        ("- {step: a, demand: code, for_each: things, repository: '${item}'}", 8, "of type repositories"),
        (
            "- {step: a, demand: code, for_each: repositories, batch: 2, repository: '${item}'}",
            8,
            "without shards and batch",
        ),
        ("- {step: A b, demand: code}", 8, "key tasks.0.step: 'A b' is not a valid name"),
        (f"- {{step: {'a' * 60}, demand: code, for_each: things}}", 8, "58 characters at most"),
        (
            "- {step: a, demand: coordination}",
            8,
            "key tasks.0.demand: capability 'coordination' marks a role",
        ),
        ("- {step: a, demand: co de}", 8, "key tasks.0.demand: capability 'co de' is not a valid name"),
        (
            "- {step: a, demand: '@zone=eu'}",
            8,
            "says where, not what: put the capability before it, as in NAME@zone=eu",
        ),
        (
            "- {step: a, demand: code, capability: docs}",
            8,
            "the demand 'code' says already what is to be done",
        ),
        (
            "- {step: a, demand: 'node:x', capability: 'do cs'}",
            8,
            "key tasks.0.capability: capability 'do cs'",
        ),
        (
            "- {step: a, demand: code}\n- {step: a, demand: docs}",
            8,
            "step 'a' stands in the plan more than once",
        ),
        (
            "- {step: a, demand: code, after: bee}\n- {step: be, demand: code}",
            8,
            "step 'bee' is not in the template",
        ),
        (
            "- {step: a, demand: code}\n- {step: b, demand: code, after: 'a-${index}'}",
            9,
            "needs for_each in the same",
        ),
        (
            "- {step: a, demand: code}\n- {step: b, demand: code, for_each: things, after: 'a-${index}'}",
            9,
            "key tasks.1.after.0: step 'a' does not fan out",
        ),
        (
            "- {step: a, demand: code, after: c}\n- {step: b, demand: code, after: a}\n- {step: c, demand: code, after: b}",
            8,
            "the plan has a cycle, each step waits for the one before: a → b → c → a",
        ),
        (
            "- {step: a, demand: c, for_each: things, after: 'b-${index}'}\n- {step: b, demand: c, for_each: things, after: 'a-${index}'}",
            8,
            "the plan has a cycle",
        ),
        (
            "- {step: a, demand: code, for_each: things}\n- {step: a-1, demand: code}",
            9,
            "'a-1' is what a task of 'a' is called",
        ),
        (
            "- {step: a, demand: code}\njoin: tabel",
            9,
            "key join: there is no join 'tabel'; did you mean 'table'?",
        ),
        ("- {step: a, demand: code}\njoin: step:b", 9, "key join: step 'b' is not in the template"),
        (
            "- {step: a, demand: code, for_each: things}\njoin: step:a",
            9,
            "step 'a' fans out: name a step that is one",
        ),
        (
            "- {step: a, demand: code}\njoin: {as: table, columns: {}}",
            9,
            "key join.columns: a table needs at least one",
        ),
        (
            "- {step: a, demand: code}\njoin: {as: table, colums: {}}",
            9,
            "unknown key join.colums; did you mean 'columns'?",
        ),
        (
            "- {step: a, demand: code}\njoin:\n  as: table\n  columns:\n    x: dta.x",
            12,
            "key join.columns.x: 'dta.x' leads nowhere; did you mean 'data'?",
        ),
        ("- {step: a, demand: code}\njoin: {as: table, columns: {x: row.x}}", 9, "row needs `rows`"),
        ("- {step: a, demand: code}\njoin: {as: table, columns: {x: node.x}}", 9, "'node.x' leads nowhere"),
        ("- {step: a, demand: code}\njoin: {as: table, rows: files}", 9, "'files' is no list in the result"),
        (
            "- {step: a, demand: code}\njoin: {as: table, columns: {failed: data.f}, fail_on: [faild]}",
            9,
            "no column 'faild'; did you mean 'failed'?",
        ),
        (
            "- {step: a, demand: code}\njoin: {as: table, steps: [b]}",
            9,
            "key join.steps.0: step 'b' is not there",
        ),
        ("- {step: a, demand: code}\npartial: maybe", 9, "key partial: input should be 'ok' or 'fail'"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_key(tasks: str, line: int, message: str) -> None:
    said = refusal(HEAD + tasks)
    assert message in said
    assert f"mine.yaml, line {line}: " in said


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("x: {type: lst}", "key inputs.x.type: input should be 'text', 'number', 'flag', 'list'"),
        ("x: {typ: list}", "unknown key inputs.x.typ; did you mean 'type'?"),
        ("X y: {}", "use 1 to 64"),
        ("x: {required: true, default: 1}", "it is required and has a default"),
        (
            "x: {type: number, default: many}",
            "key inputs.x.default: input 'x' is a text, and is to be a number",
        ),
        ("x: {pattern: '*.py'}", "only an input of type files has a pattern"),
        ("x: {type: repositories, default: [.]}", "repositories are the sender's to name"),
        ("x: {type: files, default: [1]}", "is a list, and is to be a list of paths"),
        ("²: {}", "line 3: key inputs.²"),
    ],
)
def test_a_wrong_input_is_told_with_its_key(inputs: str, message: str) -> None:
    assert message in refusal(f"name: mine\ninputs:\n  {inputs}\ntasks: [{{step: a, demand: code}}]")


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "line 2: aliases such as *a are not supported"),
        ("x: " + "[" * 30 + "]" * 30, "nested too deep"),
        ("name: a\nname: b", "line 2: key 'name' stands there twice"),
        ("? [a]\n: 1", "line 1: a key is not plain text"),
        ("name: !include x", "tags such as !name are not supported"),
        ("name: a\n\tb: 1", "line 2: "),
        ("name: \0", "a character that YAML does not allow"),
        ("a: " + "x" * MAX_CHARACTERS, "it is over 1 MiB"),
        ("--- 1\n--- 2", "line 2: "),
    ],
)
def test_a_hostile_or_broken_document_is_refused_in_words(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("12:30", "12:30"),
        ("2026-11-21", "2026-11-21"),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("007", "007"),
        ("0", 0),
        ("-3", -3),
        ("1.5", 1.5),
        ("1.5e+3", 1500.0),
        (".5", 0.5),
        (".inf", ".inf"),
        ("true", True),
        ("~", None),
        ("''", ""),
        ("|\n  a\n  b", "a\nb"),
        ("9" * 400, "9" * 400),
    ],
)
def test_a_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    found = read_document(f"x: {text}").data
    assert found == {"x": value}
    assert isinstance(found, dict)
    assert type(found["x"]) is type(value)


@given(st.text(max_size=200))
@example("?")
@example("? ''\n: 1\nname: mine")
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    assert "\n" not in said_of(text)


keys = st.sampled_from(
    [
        "name",
        "inputs",
        "tasks",
        "join",
        "match",
        "defaults",
        "step",
        "demand",
        "after",
        "for_each",
        "shards",
        "title",
    ]
)
shapes = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from(["a", "code", "${item}", "${inputs.a}", "step:a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
)


@given(
    st.fixed_dictionaries(
        {"name": st.just("a"), "tasks": shapes}, optional={"inputs": shapes, "join": shapes}
    )
)
def test_any_shape_is_read_or_refused_in_one_line(shape: dict[str, object]) -> None:
    assert "\n" not in said_of(json.dumps(shape))
