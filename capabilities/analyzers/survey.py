"""The survey: which files a repository holds, what language each is in, and what cannot be read.

Every tool is handed the files found here by name; none walks the repository itself. So no link is
followed, no configuration is discovered and every tool sees the same files.
"""

import os
import stat
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from ..languages import PROGRAMMING, language_of, language_of_script
from ..repository.junk import is_junk_folder

MAX_FILE = 2**20
"""Bytes; a larger file is data or generated, and is not read."""

MAX_FILES = 50_000
NAMED = 5
"""How many files a note names before it only counts."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A text file that the tools may read."""

    path: str
    """Relative to the repository, with forward slashes."""
    language: str
    """Empty: text in no language that we know."""
    size: int

    @property
    def is_test(self) -> bool:
        """Whether it belongs to the project's tests, by pytest's and unittest's naming."""
        name = PurePosixPath(self.path)
        return (
            any(part in ("tests", "test", "testing") for part in name.parts[:-1])
            or name.name.startswith("test_")
            or name.stem.endswith("_test")
            or name.name == "conftest.py"
        )


@dataclass(frozen=True)
class Survey:
    """What a repository holds."""

    root: Path
    files: tuple[SourceFile, ...]
    links: tuple[str, ...] = ()
    """Symbolic links that stay inside; what they point to is read under its own name."""
    notes: tuple[str, ...] = ()
    broken: tuple[tuple[str, int, str], ...] = ()
    """Source files that are not valid text: path, line and why."""

    @cached_property
    def paths(self) -> frozenset[str]:
        """The relative paths of all files."""
        return frozenset(file.path for file in self.files)

    @cached_property
    def tests(self) -> frozenset[str]:
        """The relative paths of the files that belong to tests."""
        return frozenset(file.path for file in self.files if file.is_test)

    def of(self, *languages: str) -> tuple[SourceFile, ...]:
        """Return the files in these languages."""
        return tuple(file for file in self.files if file.language in languages)

    def languages(self) -> dict[str, int]:
        """Return the number of files of each language, most first."""
        count = Counter(file.language for file in self.files if file.language)
        return dict(sorted(count.items(), key=lambda item: (-item[1], item[0])))

    def absolute(self, files: tuple[SourceFile, ...]) -> list[str]:
        """Return where the files lie on this machine; absolute, so that none reads as an option."""
        return [str(self.root / file.path) for file in files]


@dataclass(slots=True)
class _Notebook:
    """Collects what could not be read, by reason."""

    entries: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, path: str) -> None:
        self.entries.setdefault(reason, []).append(path)

    def notes(self) -> tuple[str, ...]:
        return tuple(_note(reason, paths) for reason, paths in sorted(self.entries.items()))


def _note(reason: str, paths: list[str]) -> str:
    shown = ", ".join(printable(path) for path in paths[:NAMED])
    rest = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{reason}: {shown}{rest}"


def printable(path: str) -> str:
    """Return a file name fit for a terminal and for UTF-8."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "�" for c in text)


def survey(root: Path) -> Survey:
    """Look at every file below `root` without following a link; blocking, reads each file once.

    Raises nothing for what it meets below `root`: that becomes a note.
    """
    root = root.resolve()
    book = _Notebook()
    files: list[SourceFile] = []
    links: list[str] = []
    broken: list[tuple[str, int, str]] = []
    for seen, path in enumerate(sorted(_walk(root, book))):
        if seen >= MAX_FILES:
            book.add(f"only the first {MAX_FILES:,} files were read; beyond them", path)
            break
        _look_at(root, path, book, files, links, broken)
    return Survey(root, tuple(files), tuple(links), book.notes(), tuple(broken))


def _walk(root: Path, book: _Notebook) -> Iterator[str]:
    def refused(error: OSError) -> None:
        book.add("not readable", os.path.relpath(error.filename, root))

    for folder, names, files in os.walk(root, onerror=refused, followlinks=False):
        here = os.path.relpath(folder, root)
        linked = [name for name in names if os.path.islink(os.path.join(folder, name))]
        names[:] = sorted(name for name in names if name not in linked and not is_junk_folder(name))
        for name in [*files, *linked]:
            yield PurePosixPath(Path(here, name)).as_posix()


def _look_at(
    root: Path,
    path: str,
    book: _Notebook,
    files: list[SourceFile],
    links: list[str],
    broken: list[tuple[str, int, str]],
) -> None:
    full = root / path
    try:
        mode = full.lstat()
        if stat.S_ISLNK(mode.st_mode):
            if full.resolve().is_relative_to(root):
                links.append(path)
            else:
                book.add("links that point outside the repository were not followed", path)
            return
        if not stat.S_ISREG(mode.st_mode):
            book.add("not a regular file, not read", path)
            return
        if path != printable(path):
            book.add("the name is not valid text, not read", path)
            return
        language = language_of(path)
        if mode.st_size > MAX_FILE:
            if language:
                book.add("larger than 1 MB, not read", path)
            return
        data = full.read_bytes()
    except (OSError, RuntimeError):
        # RuntimeError: a loop of links.
        book.add("not readable", path)
        return
    if b"\0" in data[:8192]:
        if language:
            book.add("binary in spite of its name, not read", path)
        return
    language = language or language_of_script(path, data[:128])
    if (problem := _undecodable(full, data, language)) is not None:
        line, why = problem
        book.add("not valid UTF-8 text, not read", path)
        if language in PROGRAMMING:
            broken.append((path, line, why))
        return
    files.append(SourceFile(path, language, mode.st_size))


def _undecodable(full: Path, data: bytes, language: str) -> tuple[int, str] | None:
    """Return where and why a file is not UTF-8, or None when it is."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        declared = _declared_encoding(full) if language == "python" else ""
        if declared:
            return line, f"encoded in {declared}; the tools read UTF-8 only: save it as UTF-8"
        return line, f"not valid UTF-8 (byte 0x{data[error.start]:02x}): save it as UTF-8"
    return None


def _declared_encoding(full: Path) -> str:
    try:
        with full.open("rb") as file:
            encoding, _ = tokenize.detect_encoding(file.readline)
    except (SyntaxError, OSError):
        return ""
    return "" if encoding.startswith("utf-8") else encoding
