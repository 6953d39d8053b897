"""Messages as a document quotes them: `…` stands for what differs."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from picoclaw.tests.support.docs import ROOT, blocks, document

GAP = "…"
CODE = ("cli", "config", "capabilities", "gateway", "roles", "swarm")


def quoted(name: str) -> dict[str, list[str]]:
    """The messages of a document's `text` blocks, by heading."""
    found: dict[str, list[str]] = {}
    for block in blocks(document(name)):
        if block.language == "text":
            found.setdefault(block.heading, []).extend(block.text.splitlines())
    return found


def pattern(message: str) -> str:
    """A pattern that finds the message in what was printed."""
    return ".*".join(map(re.escape, message.split(GAP)))


def says(output: str, heading: str, nth: int = 0) -> bool:
    """Whether the output has the message that docs/troubleshooting.md quotes; AssertionError otherwise."""
    message = quoted("troubleshooting.md")[heading][nth]
    assert re.search(pattern(message), output), f"not {message!r}:\n{output}"
    return True


def clauses(message: str) -> list[str]:
    """What of a message never differs, cut at its punctuation."""
    parts = re.split(rf"{GAP}|[:;,()]+|\. ", message)
    return [part.strip(" .") for part in parts if len(part.strip(" .")) > 2]


def runs(clause: str) -> int:
    """Of how many texts of the code the clause is put together, at least; 1000 when it is not."""
    words, count = clause.split(" "), 0
    while words:
        longest = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in literals()), 0)
        if not longest:
            return 1000
        words, count = words[longest:], count + 1
    return count


@cache
def literals() -> str:
    """Every text that stands in the code, one under the other."""
    return "\n".join(
        text for folder in CODE for path in sorted((ROOT / folder).rglob("*.py")) for text in _in(path)
    )


def _in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%\w", GAP, node.value)
