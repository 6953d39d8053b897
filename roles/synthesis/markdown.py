"""Markdown from text that strangers wrote: findings, paths, node names, reasons.

What goes in comes out as that text and nothing else: no markup, no link, no new line or table cell,
and no control sequence for the terminal that shows it. Only what would act is escaped, because
people read the source as well.
"""

import re
import unicodedata
from collections.abc import Iterable

_BAD = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, direction overrides, halves of characters, line separators."""

_ESCAPES = re.compile(
    r"""[\\`*|$]                          # code, emphasis, cells, formulas
      | ~(?=~) | (?<=~)~                  # strike-through
      | (?<![^\W_])_+ | _+(?![^\W_])      # emphasis; but not inside snake_case
      | <(?=[A-Za-z/!?])                  # tags
      | &(?=\#?\w+;)                      # entities
      | (?<=\])[(\[:]                     # links, references, definitions
      | :(?=//) | (?<=\bwww)\.            # addresses that turn into links by themselves
      | (?<=[\w.])@(?=\w)                 # mail addresses, as well
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPAN = re.compile(r"(?<!`)`([^`]*[^` ][^`]*)`(?!`)")
_BLOCK = re.compile(r"^(?:[#>+=-]|\d{1,9}(?=[.)]))")


def clean(text: str, limit: int | None = None) -> str:
    """Return the text in one line without control characters, cut to `limit` characters.

    White space of any kind becomes one blank; anything else that does not print becomes U+FFFD, so that the
    reader sees that something stood there.
    """
    most = len(text) if limit is None else 4 * limit + 64
    cut = len(text) > most
    text = text[:most]  # a line may be a megabyte; most of it would be cut anyway
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join("\ufffd" if unicodedata.category(c) in _BAD else c for c in text)
    if limit is not None and (cut or len(text) > limit):
        text = text[: limit - 1].rstrip() + "…"
    return text


def clean_lines(text: str, limit: int) -> list[str]:
    """Return the lines of a text of several, each without control characters, cut in all to `limit`."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    lines = re.split(r"\r\n|[\n\r]", cut.expandtabs(4))
    return ["".join("\ufffd" if unicodedata.category(c) in _BAD else c for c in line) for line in lines]


def inline(text: str, limit: int | None = None) -> str:
    """Return the text for any place inside a line or a table cell."""
    return _no_block(_escape(clean(text, limit)))


def prose(text: str, limit: int | None = None) -> str:
    """Return a message for a place inside a line, not for a table cell.

    As `inline`, but what it puts between single backticks stays code.
    """
    parts = _SPAN.split(clean(text, limit))
    return _no_block("".join(code(part) if i % 2 else _escape(part) for i, part in enumerate(parts)))


def _escape(text: str) -> str:
    return _ESCAPES.sub(lambda found: "".join("\\" + c for c in found.group()), text)


def _no_block(text: str) -> str:
    """Escape what would begin a heading, list or quotation if it came to stand at a line's start."""
    begins = _BLOCK.match(text)
    if begins is None:
        return text
    at = begins.end() if text[0].isdigit() else 0
    return f"{text[:at]}\\{text[at:]}"


def code(text: str, limit: int | None = None) -> str:
    """Return the text as a code span, for a line but not for a table cell."""
    text = clean(text, limit)
    if not text:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def table(
    header: Iterable[str], rows: Iterable[Iterable[str]], *, right: frozenset[int] = frozenset()
) -> str:
    """Return a table; cells are ready (`inline`), `right` names the columns with figures."""
    head = list(header)
    body = [list(row) for row in rows]
    widths = [max(3, *(len(row[i]) for row in [head, *body])) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        padded = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * (width - 1) + ":" if i in right else "-" * width for i, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *(line(row) for row in body)])


def block(text: str, language: str = "") -> str:
    """Return the text, control characters removed, as a fenced block."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{chr(10).join(clean_lines(text, len(text)))}\n{fence}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 file`, `3 files`, `1,204 files`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
