"""Frames of the NATS text protocol: what goes over a connection, message by message."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

CRLF = b"\r\n"
_BODIES = {b"PUB": 2, b"HPUB": 2, b"MSG": 3, b"HMSG": 3}
"""Verbs with a body, and how many words at least stand before the sizes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One line, with its body where it has one."""

    raw: bytes
    verb: str
    subject: str = ""
    reply: str = ""
    headers: bytes = b""
    payload: bytes = b""

    @property
    def publishes(self) -> bool:
        return self.verb in ("PUB", "HPUB")


class Frames:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes; yield the frames that are whole by now."""
        self._data += data
        at = 0
        while (end := self._data.find(CRLF, at)) >= 0:
            line = bytes(self._data[at:end])
            words = line.split()
            verb = words[0].upper() if words else b""
            body = int(words[-1]) if verb in _BODIES else None
            whole = end + 2 + (body + 2 if body is not None else 0)
            if len(self._data) < whole:
                break
            raw = bytes(self._data[at:whole])
            at = whole
            yield _frame(raw, verb, words, raw[len(line) + 2 : -2] if body is not None else b"")
        del self._data[:at]


def _frame(raw: bytes, verb: bytes, words: list[bytes], body: bytes) -> Frame:
    if verb not in _BODIES:
        return Frame(raw, verb.decode("latin-1"))
    sizes = 2 if verb.startswith(b"H") else 1
    names = words[1:-sizes]
    subject, rest = names[0].decode(), names[_BODIES[verb] - 1 :]
    cut = int(words[-2]) if sizes == 2 else 0
    reply = rest[0].decode() if rest else ""
    return Frame(raw, verb.decode(), subject, reply, body[:cut], body[cut:])


def alone(info: Frame) -> bytes:
    """Return a server's INFO without the addresses of its neighbours: a client stays where it is."""
    said = json.loads(info.raw[len("INFO ") :])
    if not said.pop("connect_urls", None):
        return info.raw
    return b"INFO " + json.dumps(said).encode() + CRLF
