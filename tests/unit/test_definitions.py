"""Definitions: what a file may say, and the one line that says what is wrong where."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.definitions.files import definition_files
from picoclaw.capabilities.definitions.read import Definition, read_definitions
from picoclaw.capabilities.definitions.schema import CommandDefinition, FunctionDefinition
from picoclaw.capabilities.definitions.sizes import format_size, parse_size
from picoclaw.capabilities.function.entry_points import installed_functions
from picoclaw.capabilities.registry import load_executors
from picoclaw.errors import ConfigError
from picoclaw.tests.support.docs import blocks, document, table

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

WHOLE = """\
capabilities:
  Everything:
    description: All keys of a command.
    command: [./tool, "${text}", "${input.files[*]}", no, 007]
    stdin: "${inputs.first.data.rows.0}"
    directory: worktree
    timeout: 1m30s
    grace: 0s
    env: {pass: [TOKEN], pass_if_set: HTTPS_PROXY, set: {MODE: "fast ${attempt}"}}
    needs: jq
    exit_codes: {0: done, 1: done, 75: retry, other: failed, signal: retry, timeout: retry}
    result: json
    result_path: items.0
    output_limit: 1KB
    output_cap: 2 MB
    artifacts: ["out/*.html"]
    summary: "${exit_code} ${seconds} ${output} ${result.name}"
    limits: {memory: 1GB, cpu: 10s, file_size: 5MB, open_files: 64}
  call: {function: "pack.age:fun.inner"}
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def refusal(*paths: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        read_definitions(paths)
    words = str(refused.value)
    assert "\n" not in words
    assert len(words) < 600
    return words


def named(definitions: tuple[Definition, ...]) -> dict[str, Definition]:
    return {one.name: one for one in definitions}


def test_every_key_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = write(tmp_path, WHOLE)
    found = named(read_definitions([tmp_path]))

    assert list(found) == ["everything", "call"]
    assert found["everything"].place == f"{file}:2"
    assert found["everything"].folder == tmp_path
    body = found["everything"].body
    assert isinstance(body, CommandDefinition)
    assert body.command is not None
    assert [pattern.literal for pattern in body.command] == ["./tool", None, None, "no", "007"]
    assert (body.timeout, body.grace) == (timedelta(seconds=90), timedelta(0))
    assert (body.env.pass_, body.env.pass_if_set, list(body.env.set)) == (
        ("TOKEN",),
        ("HTTPS_PROXY",),
        ["MODE"],
    )
    assert (body.output_limit, body.output_cap, body.limits.memory) == (1024, 2 * 2**20, 2**30)
    assert body.needs == ("jq",)
    assert isinstance(found["call"].body, FunctionDefinition)


def test_one_file_may_hold_one_capability_by_name(tmp_path: Path) -> None:
    write(tmp_path, "name: c++\ncommand: [make]\n")
    assert [one.name for one in read_definitions([tmp_path])] == ["cpp"]


def test_a_missing_folder_an_empty_file_and_other_files_hold_none(tmp_path: Path) -> None:
    write(tmp_path, "")
    write(tmp_path, "# nothing yet\n", "comment.yml")
    write(tmp_path, "not: [yaml", "notes.txt")
    write(tmp_path, "not: [yaml", ".hidden.yaml")
    assert read_definitions([tmp_path, tmp_path / "none"]) == ()
    assert [file.name for file in definition_files([tmp_path])] == ["comment.yml", "mine.yaml"]


COMMAND = "capabilities:\n  mine:\n    command: [true]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", ": not a mapping"),
        ("word\n", ": not a mapping"),
        ("capabilties: {}\n", ":1: unknown key 'capabilties'; did you mean 'capabilities'?"),
        ("command: [true]\n", ":1: unknown key 'command': add `name:`"),
        ("capabilities: [a]\n", ":1: capabilities is not a mapping"),
        ("capabilities:\n  mine: true\n", ":2: mine is not a mapping"),
        ("capabilities:\n  mine:\n    comand: [true]\n", ":3: mine: unknown key 'comand'; did you mean 'command'?"),
        ("capabilities:\n  mine:\n    xyzzy: 1\n    command: [a]\n", ":3: mine: unknown key 'xyzzy': known are artifacts, command,"),
        ("capabilities:\n  mine: {}\n", ":2: mine: it takes either command: or shell:"),
        (COMMAND + "    shell: echo\n", ":2: mine: it takes either command: or shell:"),
        (COMMAND + "    timeout: 5\n", ":4: mine: timeout: 5 has no unit: write 5s"),
        (COMMAND + "    timeout: 0s\n", ":4: mine: timeout: 0s is out of range"),
        (COMMAND + "    timeout: [1s]\n", ":4: mine: timeout: give a duration"),
        (COMMAND + "    timeout:\n", ":4: mine: timeout is empty"),
        (COMMAND + "    output_limit: lots\n", ":4: mine: output_limit: 'lots' is not a size"),
        (COMMAND + "    output_limit: 1GB\n", ":2: mine: output_limit is above output_cap"),
        (COMMAND + "    directory: home\n", ":4: mine: directory: input should be 'workspace', 'checkout' or 'worktree'"),
        (COMMAND + "    exit_codes: {300: done}\n", ":2: mine: exit_codes: '300' is none"),
        (COMMAND + "    exit_codes: {1: fine}\n", ":4: mine: exit_codes.1: input should be 'done', 'failed' or 'retry'"),
        (COMMAND + "    exit_codes: {timeout: done}\n", ":2: mine: exit_codes: a time-out cannot be done"),
        (COMMAND + "    result_path: a.b\n", ":2: mine: result_path goes into JSON: add result: json"),
        (COMMAND + "    env: [A=b]\n", ":4: mine: env: 'A' gets a value: write it below env: set:"),
        (COMMAND + "    env: [A-B]\n", ":4: mine: env: 'A-B' is not a variable's name"),
        (COMMAND + "    env: {past: [A]}\n", ":4: mine: unknown key 'past'; did you mean 'pass'?"),
        (COMMAND + "    env: {pass: [A], set: {A: b}}\n", ":4: mine: env: A stands there twice"),
        (COMMAND + "    env: {set: {LD_PRELOAD: x}}\n", ":4: mine: env: LD_PRELOAD is not for a definition to set"),
        (COMMAND + "    limits: {memori: 1GB}\n", ":4: mine: unknown key 'memori'; did you mean 'memory'?"),
        (COMMAND + "    artifacts: [../../etc/passwd]\n", ":2: mine: artifacts: '../../etc/passwd' leaves"),
        (COMMAND + "    function: a:b\n", ":3: mine: unknown key 'command': a function has no such key"),
        ("name: mine\nfunction: nothing\n", ":1: mine: function 'nothing' is not module:callable"),
        ("name: mine\ncommand: wc -l\n", ":1: mine: command is a text: write it as a list"),
        ("name: mine\ncommand: []\n", ":1: mine: command is empty"),
        ("name: mine\ncommand: ['${text}', x]\n", ":1: mine: the program itself cannot come from a task (${text})"),
        ("name: mine\ncommand: [a, '${txt}']\n", ":2: mine: command.1: unknown reference ${txt}; did you mean 'text'?"),
        ("name: mine\ncommand: [a, '${input}']\n", ":2: mine: command.1: ${input} names no input"),
        ("name: mine\ncommand: [a, '${inputs.first}']\n", ":2: mine: command.1: ${inputs.first} is none"),
        ("name: mine\ncommand: [a, 'x${input.a[*]}']\n", ":2: mine: command.1: ${input.a[*]} makes several arguments"),
        ("name: mine\ncommand: [a, '${text']\n", ":2: mine: command.1: ${text… is not a reference"),
        ("name: mine\ncommand: [a, '${exit_code}']\n", ":2: mine: command.1: unknown reference ${exit_code}"),
        ("name: mine\ncommand: [a]\nstdin: '${input.a[*]}'\n", ":3: mine: stdin: ${input.a[*]} makes several"),
        ("name: Mine Own\ncommand: [a]\n", ":1: capability 'Mine Own' is not a valid name"),
        ("name: [a]\ncommand: [a]\n", ":1: name is no text"),
        ("name: general\ncommand: [a]\n", ":1: 'general' cannot be defined"),
        ("name: scheduling\ncommand: [a]\n", ":1: 'scheduling' cannot be defined"),
        ("name: a\nname: b\n", ":2: key 'name' stands there twice"),
        ("name: a\n\tcommand: [a]\n", ":2: not valid YAML (the line is indented by a tab: use blanks)"),
        ("name: [a\n", ": not valid YAML"),
        ("name: !x a\n", ":1: tags such as !name are not supported"),
        ("a: &x [1]\nb: *x\n", ":2: aliases such as *x are not supported"),
        ("? [a]\n: b\n", ":1: a key is not plain text"),
        ("a: " + "[" * 40 + "]" * 40 + "\n", ":1: it is nested too deep"),
        ("a: \x07\n", ": not valid YAML (it holds a character that YAML does not allow)"),
        ("a: 1\n---\nb: 2\n", ": not valid YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = write(tmp_path, text)
    said = refusal(tmp_path)
    assert said.startswith(str(file))
    assert words in said


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    assert f"{tmp_path / 'folder.yaml'} is a folder" in refusal(tmp_path)
    (tmp_path / "folder.yaml").rmdir()

    (tmp_path / "large.yaml").write_bytes(b"#" * 10_000_000)
    assert f"{tmp_path / 'large.yaml'} is over 1 MiB" in refusal(tmp_path)
    (tmp_path / "large.yaml").write_bytes(b"\xff\xfe\x00")
    assert f"{tmp_path / 'large.yaml'} is not UTF-8 text" in refusal(tmp_path)
    (tmp_path / "large.yaml").unlink()

    (tmp_path / "link.yaml").symlink_to(tmp_path / "gone")
    assert f"{tmp_path / 'link.yaml'} is a link to {tmp_path / 'gone'}, which is not there" in refusal(
        tmp_path
    )


def test_marks_that_yaml_itself_has_a_use_for_are_texts_too(tmp_path: Path) -> None:
    write(tmp_path, "name: same\ncommand: [test, =, <<, no, 12:30, ~a]\n")

    (found,) = read_definitions([tmp_path])

    assert isinstance(found.body, CommandDefinition)
    assert found.body.command is not None
    assert [pattern.parts for pattern in found.body.command] == [
        (text,) for text in ("test", "=", "<<", "no", "12:30", "~a")
    ]


def test_one_name_in_two_files_is_refused_and_both_are_named(tmp_path: Path) -> None:
    one, two = write(tmp_path, COMMAND, "a.yaml"), write(tmp_path, "name: MINE\nfunction: a:b\n", "b.yaml")
    assert f"{two}:1: capability 'mine' is defined already in {one}:2" in refusal(tmp_path)


def test_a_name_that_picoclaw_serves_itself_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "name: audit\ncommand: [true]\n")
    with pytest.raises(ConfigError, match="'security' is one that picoclaw itself serves") as refused:
        load_executors([tmp_path])
    assert str(refused.value).startswith(f"{file}:1: ")


def test_what_only_a_model_serves_else_may_be_defined(tmp_path: Path) -> None:
    write(tmp_path, "name: research\ncommand: [true]\n")
    assert load_executors([tmp_path])["research"].readiness("research").ready


def test_an_installed_package_brings_functions_and_a_file_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[picoclaw.functions]\nresize = plugin:resize\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    (found,) = installed_functions(())
    assert (found.name, found.place) == ("resize", "package plugin")
    assert installed_functions({"resize"}) == ()
    (info / "entry_points.txt").write_text("[picoclaw.functions]\nre size = plugin:resize\n")
    with pytest.raises(ConfigError, match="package plugin brings a function whose capability 're size'"):
        installed_functions(())


def test_the_document_names_every_key(tmp_path: Path) -> None:
    rows = {row["key"]: row["of"] for row in table(document("capabilities.md"), "key")}
    command, function = set(CommandDefinition.model_fields), set(FunctionDefinition.model_fields)
    assert rows == {
        key: "both" if key in command & function else "command" if key in command else "function"
        for key in command | function
    }
    examples = [block for block in blocks(document("capabilities.md")) if block.language == "yaml"]
    for number, block in enumerate(examples):
        write(tmp_path, block.text, f"{number}.yaml")
    assert len(read_definitions([tmp_path])) == len(examples) == 7


@given(st.integers(1, 10**12))
def test_a_size_in_bytes_is_read_back(size: int) -> None:
    assert parse_size(str(size)) == size
    assert format_size(size)


@given(st.text(max_size=20))
def test_any_other_size_is_a_number_or_refused(text: str) -> None:
    try:
        size = parse_size(text)
    except ConfigError:
        return
    assert size > 0
