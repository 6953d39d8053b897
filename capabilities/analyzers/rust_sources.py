"""What Rust sources would have the compiler do besides reading themselves. Pure.

A macro may include any file that the compiler can read and quote it in an error, which would carry a
file of the node into a report. So every inclusion must name a plain path inside the repository.
"""

import posixpath
import re
import tomllib
from collections.abc import Mapping
from pathlib import PurePosixPath

_PLAIN = r'(?P<plain>"[^"\\]*")'
FILES = re.compile(rf"\binclude_(?:str|bytes)\b(?:\s*!\s*[(\[{{]\s*{_PLAIN})?")
CODE = re.compile(
    rf"\binclude\b(?P<called>(?:\s|/\*.*?\*/|//[^\n]*\n)*!)?(?:\s*[(\[{{]\s*{_PLAIN})?", re.DOTALL
)
ATTRIBUTE = re.compile(rf"#!?\s*\[[^\]]*?\bpath\b(?:\s*=\s*{_PLAIN})?")
ARGUMENT = re.compile(rf"[(\[{{,]\s*path\s*=\s*{_PLAIN}")
MACROS = re.compile(r"\bmacro(?:_rules)?\b")
SETTINGS = frozenset({"rust-toolchain", "rust-toolchain.toml", "clippy.toml", ".clippy.toml"})
"""Files by which a repository chooses the compiler, or tells it what to pass over."""


def is_setting(path: str) -> bool:
    """Return whether a file tells cargo or rustup what to run; such a file is not shown to them."""
    parts = PurePosixPath(path).parts
    return ".cargo" in parts or parts[-1] in SETTINGS


def has_macros(text: str) -> bool:
    """Return whether a file defines macros, which can make a call out of words that lie apart."""
    return MACROS.search(text) is not None


def reads_elsewhere(path: str, text: str, *, macros: bool = False) -> int:
    """Return the line that includes a file by a path outside the repository or no plain path, else 0.

    `macros`: some file of the repository defines macros.
    """
    # Lines stay, so that they can be counted. One with a quote may end a string and begin code.
    code = "\n".join(
        "" if line.lstrip().startswith("//") and '"' not in line else line for line in text.split("\n")
    )
    for pattern in (FILES, CODE, ATTRIBUTE, ARGUMENT):
        for found in pattern.finditer(code):
            if (
                pattern is CODE
                and found["called"] is None
                and not macros
                and not _renamed(code, found.start())
            ):
                # The word alone is the name of something else, unless a macro puts a call together.
                continue
            if not _inside(path, found["plain"]):
                return code.count("\n", 0, found.start()) + 1
    return 0


def _renamed(code: str, start: int) -> bool:
    """Return whether the word stands in a `use`, by which the macro may get another name."""
    return re.search(r"\buse\b[^;]*$", code[max(0, start - 400) : start]) is not None


def _inside(path: str, quoted: str | None) -> bool:
    if quoted is None:
        return False
    named = quoted[1:-1]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), named))
    return not named.startswith("/") and place != ".." and not place.startswith("../")


def unstable(manifest: str) -> bool:
    """Return whether a Cargo.toml asks for unstable features, some of which load code."""
    try:
        data: Mapping[str, object] = tomllib.loads(manifest)
    except (ValueError, RecursionError):
        return False
    return "cargo-features" in data
