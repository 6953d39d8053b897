"""The logs of this machine's nodes, read: which there are, their lines by time, and what is added."""

import heapq
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config.plain_file import open_plain
from ...errors import UsageError
from .log_file import OLDER, SUFFIX

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


def _nobody(line: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a node's log."""

    node: str
    at: str
    """UTC, RFC 3339 to the microsecond: it sorts as text."""
    level: str
    event: str
    whole: dict[str, Any]

    @property
    def weight(self) -> int:
        """How grave it is; what is of no known level counts as info."""
        return LEVELS.get(self.level, LEVELS["info"])


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """The files of one node."""

    name: str
    """What it calls itself; the file's name where it has not said so yet."""
    path: Path

    def lines(self) -> Iterator[LogLine]:
        """Yield its lines in the order in which they were written."""
        for path in (self.path.with_suffix(OLDER), self.path):
            yield from _lines(path, self.name)


def find_logs(folder: Path, tell: Callable[[str], None] = _nobody) -> list[NodeFiles]:
    """Return the nodes that have a log, by name; `tell` gets a line for each that cannot be read."""
    slugs = {path.name.removesuffix(".1").removesuffix(SUFFIX) for path in folder.glob("*.log*")}
    found = []
    for slug in sorted(slugs):
        path = folder / f"{slug}{SUFFIX}"
        try:
            first = next(NodeFiles(slug, path).lines(), None)
        except UsageError as error:
            tell(str(error))
            continue
        found.append(NodeFiles(first.node if first is not None else slug, path))
    return sorted(found, key=lambda files: files.name)


def logged_names(folder: Path) -> list[str]:
    """Return the names of the nodes that have a log."""
    return [files.name for files in find_logs(folder)]


def merged(nodes: Sequence[NodeFiles]) -> Iterator[LogLine]:
    """Yield the lines of several nodes by their time."""
    return heapq.merge(*(files.lines() for files in nodes), key=lambda line: line.at)


def read_line(raw: bytes | str, node: str) -> LogLine | None:
    """Return a line; None for what is none, such as one whose end found no room on the disk."""
    try:
        whole = json.loads(raw)
        return LogLine(
            node=str(whole.get("node", node)),
            at=str(whole["timestamp"]),
            level=str(whole["level"]),
            event=str(whole["event"]),
            whole=whole,
        )
    except (ValueError, KeyError, AttributeError, RecursionError):
        return None


def _lines(path: Path, node: str) -> Iterator[LogLine]:
    try:
        with open_plain(path) as file:
            for raw in file:
                line = read_line(raw, node)
                if line is not None:
                    yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read ({error.strerror}): check whose it is, or remove it")


class Tail:
    """What is added to a node's log, from now or from its beginning on."""

    def __init__(self, files: NodeFiles, *, from_start: bool = False) -> None:
        self.files = files
        self._inode, self._offset = 0, 0
        self._rest = b""
        if not from_start:
            try:
                status = files.path.stat()
            except FileNotFoundError:
                return
            self._inode, self._offset = status.st_ino, status.st_size

    def added(self) -> list[LogLine]:
        """Return the whole lines that came since the last call."""
        found: list[LogLine] = []
        try:
            inode = self.files.path.stat().st_ino
        except FileNotFoundError:
            return found
        if inode != self._inode:
            if self._inode:
                # What was written before it was put aside.
                found += self._read(self.files.path.with_suffix(OLDER), self._inode)
            self._inode, self._offset, self._rest = inode, 0, b""
        return found + self._read(self.files.path, inode)

    def _read(self, path: Path, inode: int) -> list[LogLine]:
        try:
            with open_plain(path) as file:
                if os.fstat(file.fileno()).st_ino != inode:
                    return []
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(path, error) from None
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = (read_line(raw, self.files.name) for raw in whole)
        return [line for line in lines if line is not None]
