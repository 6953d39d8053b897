"""Text of strangers in Markdown: it comes out as that text, never as markup or a terminal escape."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from picoclaw.roles.synthesis.markdown import block, clean, clean_lines, code, count, inline, prose, table

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
hostile = st.text(
    st.one_of(
        st.sampled_from(list("\\`*_~|$<>&[]()!#+-=.:/@ \n\t\r\x1b\x00\u202e\u2028\xa0a1")),
        st.characters(),
    ),
    max_size=40,
)


def leaves(source: str) -> list[Token]:
    """Return the inline tokens of the whole document."""
    return [
        child for token in PARSER.parse(source) if token.type == "inline" for child in token.children or []
    ]


def shown(source: str) -> str:
    return "".join(token.content for token in leaves(source))


@given(hostile)
@example("<script>alert(1)</script>")
@example("![x](http://evil/?a) [a](b) <http://evil> &lt;b&gt;")
@example("**bold** __init__ ~~gone~~ `code` ``x` $x$")
@example("1. one")
@example("# heading")
@example("trailing \\")
def test_a_message_in_a_list_item_is_shown_as_it_is(text: str) -> None:
    source = f"- `a.py:1`  {inline(text)} (ruff)"
    tokens = leaves(source)
    assert {token.type for token in tokens} <= {"text", "code_inline"}
    assert [token.content for token in tokens if token.type == "code_inline"] == ["a.py:1"]
    assert shown(source) == f"a.py:1  {clean(text)} (ruff)"


@given(hostile)
@example("# heading")
@example("- item")
@example("12) item")
@example("=====")
@example("+ item")
@example("> quoted")
@example("| a | b |")
@example("[a]: http://evil")
def test_a_text_at_the_start_of_a_line_begins_no_block(text: str) -> None:
    source = f"before\n\n{inline(text)}x\n\nafter"
    assert [token.type for token in PARSER.parse(source) if token.nesting >= 0] == [
        "paragraph_open",
        "inline",
    ] * 3


@given(hostile, hostile)
def test_a_table_keeps_its_cells_whatever_is_in_them(first: str, second: str) -> None:
    source = table(["a", "b"], [[inline(first), inline(second)], ["1", "2"]], right=frozenset({1}))
    tokens = PARSER.parse(source)
    assert sum(token.type == "tr_open" for token in tokens) == 3
    assert [token.content for token in tokens if token.type == "inline"][-2:] == ["1", "2"]
    cells = ["".join(c.content for c in token.children or []) for token in tokens if token.type == "inline"]
    assert cells[2:4] == [clean(first), clean(second)]


@given(hostile)
def test_a_path_is_one_code_span(text: str) -> None:
    source = f"- {code('x' + text + ':1')}  rest"
    spans = [token for token in leaves(source) if token.type == "code_inline"]
    assert [span.content for span in spans] == [clean("x" + text + ":1")]


@given(hostile)
def test_a_message_with_code_in_it_holds_only_text_and_code(text: str) -> None:
    source = f"- m {prose(text)} (ruff)"
    tokens = leaves(source)
    assert {token.type for token in tokens} <= {"text", "code_inline"}
    assert shown(source).replace("`", "").replace(" ", "") == f"m {clean(text)} (ruff)".replace(
        "`", ""
    ).replace(" ", "")


def test_names_between_backticks_stay_code_and_readable() -> None:
    assert prose("Use of `assert` in `__init__`: remove `it") == "Use of `assert` in `__init__`: remove \\`it"


@given(hostile)
def test_nothing_that_moves_a_cursor_or_turns_the_text_survives(text: str) -> None:
    for out in (
        clean(text),
        inline(text),
        prose(text),
        code(text),
        *clean_lines(text, 100),
        block(text).replace("\n", ""),
    ):
        assert not [c for c in out if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


def test_a_terminal_escape_leaves_a_mark_where_it_stood() -> None:
    assert clean("a\x1b[2Jb\r\nc\td") == "a\ufffd[2Jb c d"


def test_addresses_do_not_become_links_by_themselves() -> None:
    assert (
        inline("see https://evil.example and www.evil.example")
        == "see https\\://evil.example and www\\.evil.example"
    )


def test_ordinary_text_is_left_alone() -> None:
    text = 'Argument 1 to "f" has type "list[int]"; expected snake_case (x < 3, a & b) - see PEP 8!'
    assert inline(text) == text


@given(st.text(max_size=200), st.integers(1, 50))
def test_a_cut_text_is_no_longer_than_its_limit(text: str, limit: int) -> None:
    assert len(clean(text, limit)) <= limit


def test_a_megabyte_line_is_cut_at_once() -> None:
    assert clean("x" * 1_000_000, 10) == "xxxxxxxxx…"


def test_a_block_cannot_be_closed_from_inside() -> None:
    tokens = PARSER.parse(block("```\n# out\n````", "json"))
    assert [token.type for token in tokens] == ["fence"]


def test_counting_words() -> None:
    assert [count(n, "file") for n in (0, 1, 1204)] == ["0 files", "1 file", "1,204 files"]
