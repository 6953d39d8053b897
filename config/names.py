"""Names: what a capability, node, H-id or step may be called, and the capability vocabulary.

Pure functions, used on every floor, so that one spelling rule holds from the command line to the
subject of a message.
"""

import re
import unicodedata

from ..errors import NameRefused

CAPABILITY = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
STEP = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MAX_NAME = 128
"""Longest H-id, node name or label value, in characters."""

GENERAL = "general"
ROLE_MARKS = frozenset({"coordination", "scheduling"})
"""Capabilities of the guide that mark a role; no task ever asks for them."""

ALIASES = {
    "c++": "cpp",
    "c#": "csharp",
    "f#": "fsharp",
    "node.js": "nodejs",
    ".net": "dotnet",
    "golang": "go",
    "js": "javascript",
    "ts": "typescript",
    "py": "python",
    "rs": "rust",
    "code-review": "code",
    "code_review": "code",
    "quality": "code",
    "audit": "security",
    "security-audit": "security",
    "documentation": "docs",
    "doc": "docs",
    "qa": "testing",
    "test": "testing",
    "tests": "testing",
}
"""Other spellings of a capability; the right-hand side is the name on the wire."""

PARENTS = dict.fromkeys(
    [
        "c",
        "cpp",
        "csharp",
        "dart",
        "dotnet",
        "elixir",
        "embedded",
        "fsharp",
        "go",
        "haskell",
        "java",
        "javascript",
        "kotlin",
        "lua",
        "nodejs",
        "perl",
        "php",
        "python",
        "ruby",
        "rust",
        "scala",
        "shell",
        "sql",
        "swift",
        "typescript",
        "zig",
    ],
    "code",
)
"""A node with the left-hand capability also serves the right-hand one."""


def canonical_capability(text: str) -> str:
    """Return the wire name of a capability, aliases resolved.

    Raises NameRefused for an empty name, one of over 48 characters, or one with dots, spaces,
    wildcards or control characters that no alias covers.
    """
    name = text.strip(" \t").lower()
    name = ALIASES.get(name, name)
    if not CAPABILITY.fullmatch(name):
        raise NameRefused(
            f"capability {text!r} is not a valid name: use 1 to 48 of a-z, 0-9, '-' and '_', "
            "starting with a letter or digit"
        )
    return name


def expand_capabilities(names: frozenset[str]) -> frozenset[str]:
    """Return the names and every parent they imply (`python` implies `code`)."""
    return names | {PARENTS[name] for name in names if name in PARENTS}


def check_name(text: str, what: str) -> str:
    """Return `text` stripped, fit to be an H-id, node name or label.

    Any alphabet, dots, spaces, `@` and wildcards are fine: the wire carries an encoded form.
    Raises NameRefused when it is empty, longer than 128 characters or holds control characters.
    """
    name = text.strip(" ")
    if not name:
        raise NameRefused(f"{what} is empty: give it at least one character")
    if len(name) > MAX_NAME:
        raise NameRefused(f"{what} has {len(name)} characters: shorten it to {MAX_NAME} at most")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise NameRefused(f"{what} {name!r} holds a control character or a line break: leave it out")
    return name


def check_step(text: str) -> str:
    """Return `text` if it may name a step of a plan.

    Raises NameRefused otherwise.
    """
    if not STEP.fullmatch(text):
        raise NameRefused(
            f"step {text!r} is not a valid name: use 1 to 64 of a-z, 0-9, '-' and '_', "
            "starting with a letter or digit"
        )
    return text


def check_label(name: str, value: str) -> tuple[str, str]:
    """Return a label's name and value, stripped.

    Raises NameRefused when either is no valid name, or holds one of the marks that separate labels.
    """
    pair = check_name(name, "a label's name"), check_name(value, f"the value of label {name.strip()!r}")
    if any(mark in text for text in pair for mark in "@=+,"):
        raise NameRefused(f"label {'='.join(pair)!r} holds '@', '=', '+' or ',', which separate: rename it")
    return pair
