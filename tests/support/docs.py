"""The documents as tests read them: their fenced blocks, tables and the commands in them."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)$")
_HEADING = re.compile(r"^#+ (?P<text>.+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its text without the indentation of its fence, and where it stands."""

    language: str
    text: str
    heading: str
    line: int
    """Of its first fence, from 1."""

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def commands(self, hosts: Mapping[str, str] | None = None) -> list[list[str]]:
        """The command lines as a shell splits them; each host name that is substituted is printed."""
        text = self.text.replace("\\\n", " ")
        for name, address in (hosts or {}).items():
            if re.search(rf"\b{name}\b", text):
                print(f"{self.heading}: host name {name} -> {address}")
                text = re.sub(rf"\b{name}\b", address, text)
        split = (shlex.split(line, comments=True) for line in text.splitlines())
        return [words for words in split if words]


def document(name: str) -> str:
    """The text of a file in `docs`."""
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """Every fenced block of a Markdown text, in order."""
    found: list[Block] = []
    heading, opened, indent, language, held = "", 0, "", "", list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if opened:
            if fence and not fence["language"]:
                found.append(Block(language, "".join(f"{one}\n" for one in held), heading, opened))
                opened, held = 0, []
            else:
                held.append(line.removeprefix(indent))
        elif fence:
            opened, indent, language = number, fence["indent"], fence["language"]
        elif title := _HEADING.match(line):
            heading = title["text"]
    assert not opened, f"the block of line {opened} has no end"
    return found


def table(text: str, first_column: str) -> list[dict[str, str]]:
    """The rows of the table whose first column bears that title, without the backticks."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if re.match(rf"\| *{re.escape(first_column)} *\|", line))
    titles = _cells(lines[start])
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(titles, _cells(line), strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")]


def block(name: str, heading: str, language: str = "bash", nth: int = 0) -> Block:
    """The nth block of one language in a section of a document."""
    found = [one for one in blocks(document(name)) if (one.heading, one.language) == (heading, language)]
    return found[nth]
