"""What Rust sources would have the compiler do besides reading themselves. Pure.

A macro may include any file that the compiler can read and quote it in an error, which would carry a
file of the node into a report. So every inclusion must name a plain path inside the repository.
"""

import posixpath
import re
import tomllib
from collections.abc import Mapping
from pathlib import PurePosixPath

INCLUDES = re.compile(
    r"\b(?:include|include_str|include_bytes)\b(?P<rest>\s*!?\s*[(\[{]?\s*(?P<plain>\"[^\"\\]*\")?)"
)
PATH_ATTRIBUTE = re.compile(r"#!?\s*\[[^\]]*?\bpath\s*=\s*(?P<plain>\"[^\"\\]*\")?")
CALL = re.compile(r"\s*!\s*[(\[{]")
LINE_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
SETTINGS = frozenset({"rust-toolchain", "rust-toolchain.toml", "clippy.toml", ".clippy.toml"})
"""Files by which a repository chooses the compiler, or tells it what to pass over."""


def is_setting(path: str) -> bool:
    """Return whether a file tells cargo or rustup what to run; such a file is not shown to them."""
    parts = PurePosixPath(path).parts
    return ".cargo" in parts or parts[-1] in SETTINGS


def reads_elsewhere(path: str, text: str) -> int:
    """Return the line that includes a file by a path outside the repository or no plain path, else 0."""
    # Comments become empty lines, so that line numbers stay; a comment that ends code is read as code.
    code = LINE_COMMENT.sub("", text)
    for pattern in (INCLUDES, PATH_ATTRIBUTE):
        for found in pattern.finditer(code):
            if (
                pattern is INCLUDES
                and CALL.match(found["rest"]) is None
                and not _imported(code, found.start())
            ):
                # The word alone, as the name of a function or in a string, includes nothing.
                continue
            if not _inside(path, found["plain"]):
                return code.count("\n", 0, found.start()) + 1
    return 0


def _imported(code: str, start: int) -> bool:
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
