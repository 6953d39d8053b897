"""Context: where a span stands in its trace, in the words of W3C Trace Context (`traceparent`)."""

import hashlib
import re
from dataclasses import dataclass

from ..subjects import TRACEPARENT

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class SpanPlace:
    """A span as another process names it."""

    trace: int
    """128 bits, never 0."""
    span: int
    """64 bits, never 0."""
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace:032x}-{self.span:016x}-{int(self.sampled):02x}"


def read_traceparent(text: str | None) -> SpanPlace | None:
    """Return the place that a `traceparent` names; None where it names none."""
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest):
        return None
    place = SpanPlace(int(trace, 16), int(span, 16), bool(int(flags, 16) & _SAMPLED))
    return place if place.trace and place.span else None


def in_headers(trace: str | None) -> dict[str, str]:
    """Return a place as headers of a message; none for None and for what names none."""
    place = read_traceparent(trace)
    return {} if place is None else {TRACEPARENT: str(place)}


def request_place(request: str, parent: SpanPlace | None) -> SpanPlace:
    """Return the place of a request's own span.

    It depends on the request alone: whoever takes a request over goes on in the same trace.
    """
    digest = hashlib.sha256(b"picoclaw trace " + request.encode()).digest()
    trace = parent.trace if parent is not None else int.from_bytes(digest[:16], "big") or 1
    return SpanPlace(trace, int.from_bytes(digest[16:24], "big") or 1, parent is None or parent.sampled)
