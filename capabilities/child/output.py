"""What a child printed: kept in memory up to a limit, beyond it in a file, and ended at a cap."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..definitions.sizes import format_size


@dataclass(slots=True)
class Captured:
    """One stream of a child."""

    keep: int
    """Bytes that stay in memory."""
    cap: int
    """Bytes beyond which nothing is kept any more."""
    spool: Path | None = None
    """Where all of a longer output goes; None keeps its end alone."""
    size: int = 0
    """Bytes that were taken."""
    over: bool = False
    """It passed the cap."""
    _held: bytearray = field(default_factory=bytearray)
    _head: bytes = b""
    _file: BinaryIO | None = None

    def take(self, chunk: bytes) -> bool:
        """Add what was printed; blocking, where it goes to a file. False: the cap was passed."""
        if self.over:
            return False
        if self.size + len(chunk) > self.cap:
            chunk = chunk[: self.cap - self.size]
            self.over = True
        self.size += len(chunk)
        self._held += chunk
        if self._file is not None:
            self._file.write(chunk)
        elif self.spool is not None and len(self._held) > self.keep:
            self._file = self.spool.open("wb")
            self._file.write(self._held)
            self._head = bytes(self._held[: self.keep // 2])
        if self._file is not None:
            del self._held[: max(0, len(self._held) - self.keep // 2)]
        elif self.spool is None:
            del self._held[: max(0, len(self._held) - self.keep)]
        return not self.over

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()

    @property
    def whole(self) -> bool:
        """Whether `shown` is all of it."""
        return self._file is None

    @property
    def shown(self) -> bytes:
        """Return all of it, or of a longer one the beginning and the end, with a line between them."""
        if self._file is None:
            return bytes(self._held)
        left_out = self.size - len(self._head) - len(self._held)
        return b"%s\n[... %s left out ...]\n%s" % (
            self._head, format_size(left_out).encode(), bytes(self._held),
        )  # fmt: skip

    def read(self) -> bytes:
        """Return all of it; blocking."""
        if self._file is None or self.spool is None:
            return bytes(self._held)
        return self.spool.read_bytes()
