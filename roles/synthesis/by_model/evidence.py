"""Evidence: the results of a request as a model reads them, in pieces that it can read at once. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..markdown import clean_lines, count
from ..missing import missing_lines, usable
from ..outcome import Outcome

LEAST = 2_000
"""Characters below which a piece is not cut."""
BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the evidence."""

    steps: tuple[str, ...]
    text: str


def evidence(outcomes: Sequence[Outcome]) -> list[Piece]:
    """Return what each task brought, whole, in the order of the plan."""
    return [Piece((outcome.step,), _brought(outcome)) for outcome in outcomes if usable(outcome)]


def failures(outcomes: Sequence[Outcome]) -> str:
    """Return what brought nothing, a line each; empty when everything did."""
    return "\n".join(f"- {line[:500]}" for line in missing_lines(outcomes)[:100])


def size(pieces: Iterable[Piece]) -> int:
    """Return how many characters pieces have, as `gather` puts them together."""
    texts = [len(piece.text) for piece in pieces]
    return sum(texts) + len(BETWEEN) * max(0, len(texts) - 1)


def gather(pieces: Sequence[Piece], room: int) -> list[Piece]:
    """Return the same evidence in pieces of `room` characters at most, as few as that makes."""
    parts = [part for piece in pieces for part in _cut(piece, max(room, LEAST))]
    gathered: list[Piece] = []
    for part in parts:
        last = gathered[-1] if gathered else None
        if last is not None and len(last.text) + len(BETWEEN) + len(part.text) <= room:
            steps = tuple(dict.fromkeys((*last.steps, *part.steps)))
            gathered[-1] = Piece(steps, f"{last.text}{BETWEEN}{part.text}")
        else:
            gathered.append(part)
    return gathered


def _cut(piece: Piece, room: int) -> list[Piece]:
    if len(piece.text) <= room:
        return [piece]
    head = f"[task:{piece.steps[0]}] (continued)\n" if len(piece.steps) == 1 else ""
    cuts, at = [], 0
    while at < len(piece.text):
        end = at + room - len(head)
        # At the end of a line where there is one in the last fifth.
        line = piece.text.rfind("\n", end - room // 5, end) if end < len(piece.text) else -1
        end = line + 1 if line > at else end
        cuts.append(Piece(piece.steps, (head if at else "") + piece.text[at:end]))
        at = end
    return cuts


def _brought(outcome: Outcome) -> str:
    result = outcome.result
    assert result is not None
    partial = " (it ended before its work was done: this is a part of it)" if result.partial else ""
    lines = [f"[task:{outcome.step}] {outcome.title or outcome.step}{partial}"]
    if result.summary:
        lines += clean_lines(result.summary, len(result.summary))
    if result.data is not None and result.data != result.summary:
        data = result.data if isinstance(result.data, str) else json.dumps(result.data, ensure_ascii=False)
        lines += clean_lines(data, len(data))
    lines += [
        f"(artifact: {(ref.filename or ref.name)[:200]}, {count(ref.size, 'byte')}, not shown)"
        for ref in result.artifacts[:50]
    ]
    return "\n".join(lines)
