"""MCP servers from files: what is read, the one line that says what is wrong where, and names for models."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.mcp.naming import SchemaRefused, description, schema, tool_name
from picoclaw.capabilities.agent.mcp.read import read_servers
from picoclaw.capabilities.agent.mcp.readiness import readiness
from picoclaw.capabilities.agent.mcp.server import Http, Server, Stdio, expand, secrets_of
from picoclaw.capabilities.child.mask import mask_for
from picoclaw.errors import ConfigError

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

WHOLE = """\
servers:
  github:
    command: npx
    args: [-y, server-github]
    env:
      TOKEN: ${GITHUB_TOKEN}
      MODE: fast
    cwd: here
    tools: "search_*"
    trust: yes
    call_timeout: 1m30s
    result_limit: 1MB
    max_tools: 5
  docs:
    url: https://docs.example.com/mcp
    headers: {Authorization: "Bearer ${DOCS_TOKEN:-none}"}
  off:
    command: [x]
    disabled: true
"""


def write(folder: Path, text: str, name: str = "mcp.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def one(folder: Path, body: str) -> Server:
    (server,) = read_servers([write(folder, f"servers:\n  a: {body}\n")])
    return server


def test_every_key_is_read(tmp_path: Path) -> None:
    file = write(tmp_path, WHOLE)
    github, docs = read_servers([file])

    assert (github.name, github.place, github.kind) == ("github", f"{file}:2", "stdio")
    assert github.way == Stdio(
        argv=("npx", "-y", "server-github"),
        env={"TOKEN": "${GITHUB_TOKEN}", "MODE": "fast"},
        cwd=str(tmp_path / "here"),
    )
    assert (github.trust, github.tools) == (True, ("search_*",))
    limits = github.limits
    assert (limits.call, limits.result, limits.tools) == (timedelta(seconds=90), 2**20, 5)
    assert docs.way == Http(
        url="https://docs.example.com/mcp", headers={"Authorization": "Bearer ${DOCS_TOKEN:-none}"}
    )
    assert docs.trust is False


def test_the_json_of_other_programs_is_read_whatever_else_it_holds(tmp_path: Path) -> None:
    other = {
        "numStartups": 3,
        "mcpServers": {
            "files": {
                "type": "stdio",
                "command": "npx",
                "args": ["-y", "x"],
                "env": {"A": "é"},
                "autoApprove": [],
            },
            "web": {"type": "http", "url": "http://localhost:1/mcp", "timeout": 60},
        },
    }
    file = write(tmp_path, json.dumps(other, indent="\t"), "claude.json")
    assert [server.name for server in read_servers([file])] == ["files", "web"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servers:\n  a: {comand: x}\n", r":2: a: unknown key 'comand'; did you mean 'command'\?"),
        ("servers:\n  a: {command: x, url: 'http://h'}\n", r":2: a: give either command"),
        ("servers:\n  a:\n    url: ftp://h\n", r"none of HTTP"),
        ("servers:\n  a: {url: 'http://h', args: [x]}\n", "do not go with url"),
        ("servers:\n  a: {command: x, headers: {A: b}}\n", "do not go with command"),
        ("servers:\n  a:\n    command: x\n    call_timeout: 90\n", r":4: a: call_timeout: 90 has no unit"),
        ("servers:\n  a:\n    command: x\n    max_tools: 0\n", r":4: a: max_tools"),
        ("servers:\n  a: {url: 'http://h', headers: {'A B': c}}\n", "not a header"),
        ("servers:\n  a: {command: x, env: {'A-B': c}}\n", "not a variable's name"),
        ("servers:\n  a: {type: sse, url: 'http://h'}\n", "old SSE transport"),
        ("servers:\n  a: x\n", r":2: a is not a mapping"),
        ("servers: [a]\n", r":1: servers is not a mapping"),
        ("server:\n  a: {command: x}\n", r":1: .*did you mean 'servers'\?"),
        ("- a\n", "not a mapping"),
        ("servers: {a: [}\n", r":1: not valid"),
        ("servers:\n  '': {command: x}\n", "cannot name an MCP server"),
        ("servers:\n  a: {command: x}\n  a: {command: y}\n", r":3: not valid \(.*twice"),
        ("servers:\n  a: {command: x}\nmore: 1\n", "unknown key 'more'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        read_servers([file])
    said = str(refused.value)
    assert said.startswith(str(file))
    assert re.search(words, said), said
    assert "\n" not in said


def test_a_name_that_two_files_have(tmp_path: Path) -> None:
    write(tmp_path, "servers: {a: {command: x}}", "1.yaml")
    write(tmp_path, "servers: {a: {command: y}}", "2.yaml")
    with pytest.raises(ConfigError, match=r"2\.yaml:1: MCP server 'a' is named already in .*1\.yaml:1"):
        read_servers([tmp_path])
    assert read_servers([tmp_path / "absent.yaml"]) == ()


def test_readiness_says_what_is_missing_and_never_a_value(tmp_path: Path) -> None:
    here = {"PATH": "/usr/bin:/bin", "A": "x"}
    assert readiness(one(tmp_path, "{command: sh}"), here).ready
    assert readiness(one(tmp_path, "{command: nothing-such}"), here).needs.startswith("needs nothing-such on")
    lacks = one(tmp_path, "{command: sh, env: {X: '${A}${B}', Y: '${C:-d}'}}")
    assert readiness(lacks, here).needs == "needs B: set it in the environment of the node"
    far = one(tmp_path, "{url: 'https://${HOST}/mcp'}")
    assert readiness(far, here).needs == "needs HOST: set it in the environment of the node"
    assert readiness(far, {"HOST": "h"}).ready


def test_variables_and_what_of_them_is_secret() -> None:
    environ = {"A": "one-value", "B": ""}
    assert expand("x${A}y${B:-z}${C}", environ) == "xone-valueyz"
    told = {"ROOT": "/srv/data", "GH": "key-by-its-variable", "MY_TOKEN": "key-by-its-own-name"}
    way = Stdio(argv=("x", "${ROOT}"), env={"API_KEY": "${GH}", "PLACE": "${ROOT}", "X": "${MY_TOKEN}"})
    mask = mask_for(secrets_of(Server(name="s", place="", way=way), told))
    assert mask.text(" ".join(told.values())) == "/srv/data *** ***"


@given(st.text(), st.text())
def test_a_tools_name_is_one_that_every_provider_takes(server: str, tool: str) -> None:
    name = tool_name(server, tool)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
    assert name.startswith("mcp__")
    other = tool_name(server, tool, {name})
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", other)
    assert tool_name(server, tool) == name  # the same on every node


@given(st.text())
def test_a_description_is_short_and_plain(said: str) -> None:
    told = description("shop", said)
    assert len(told) < 1100
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]", told)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "$ref", "items", "pattern", "anyOf", "enum", "$defs", "required"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "$ref", "allOf", "$defs"]), JSON, max_size=4))
def test_a_strangers_schema_is_taken_whole_or_refused_in_words(raw: dict[str, Any]) -> None:
    try:
        found = schema(raw)
    except SchemaRefused:
        return
    assert found["type"] == "object"
    jsonschema.Draft202012Validator.check_schema(found)


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    raw = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": "(a+)+$"}, "$ref": {"type": "string"}},
        "required": ["pattern"],
    }
    assert schema(raw)["properties"] == {"pattern": {"type": "string"}, "$ref": {"type": "string"}}


def doubling(levels: int) -> dict[str, Any]:
    """A schema of few lines that asks for 2^levels looks."""
    steps = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**steps, f"d{levels}": {"type": "object"}}, "allOf": [{"$ref": "#/$defs/d0"}]}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"$ref": "#"}, "without end"),
        ({"allOf": [{"$ref": "#"}]}, "without end"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"$ref": "#/$defs/b"}}}, "without end"),
        ({"properties": {"a": {"$ref": "#/nowhere"}}}, "not there"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "another document"),
        ({"properties": {"a": {"type": "strin"}}}, "wrong at properties/a/type"),
        ({"type": "string"}, "no object"),
        (doubling(40), "unfolds to too much"),
    ],
)
def test_a_schema_that_cannot_be_taken(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaRefused, match=words):
        schema(raw)
