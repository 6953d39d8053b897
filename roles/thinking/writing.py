"""Writing: a report by a model from the results of a request, read as notes first where they are too long."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...capabilities.agent.models.conversation import User
from ...errors import ContextTooLong, ModelRefused, PicoclawError
from ..ledger import Fenced, Ledger
from ..synthesis.bodies import with_bodies
from ..synthesis.by_model.evidence import LEAST, Piece, evidence, failures, gather, size
from ..synthesis.by_model.prompt import REDUCER, WRITER, ask_for_notes, ask_for_report, cut
from ..synthesis.by_model.written import Written
from ..synthesis.outcome import Outcome
from .asking import Asker, begin_asking
from .mind import Mind
from .wanted import while_wanted

log = logging.getLogger(__name__)

STEP = "_join"
"""The journal's subject of a request's report."""
DEEPEST = 3
"""How often notes are made of notes."""


async def write_report(
    ledger: Ledger, mind: Mind | None, outcomes: Sequence[Outcome], bodies: Mapping[str, bytes]
) -> Written | str:
    """Return a model's report on a request whose tasks have all ended, or why there is none.

    Raises Fenced.
    """
    if mind is None:
        return "this coordinator has no model"
    if ledger.head.cancelling:
        return "the request was cancelled"
    if ledger.past_deadline:
        return "the request's deadline passed"
    pieces, failed = await asyncio.to_thread(_read, outcomes, bodies)
    if not pieces:
        return "no task brought a result"
    try:
        written = await while_wanted(ledger, _write(ledger, mind, pieces, failed), patience=mind.patience)
    except Fenced:
        raise
    except PicoclawError as error:
        log.warning("Report not written by the model: %s", error, extra={"request": ledger.request_id})
        return f"no model wrote this report: {error}"
    except Exception as error:
        # Whatever a model answers, the results are not lost for it.
        log.exception("report not written by the model", extra={"request": ledger.request_id})
        return f"no model wrote this report: {type(error).__name__}, see the coordinator's log"
    return written or "the request was to end before its report was written"


def _read(outcomes: Sequence[Outcome], bodies: Mapping[str, bytes]) -> tuple[list[Piece], str]:
    whole = with_bodies(outcomes, bodies)
    return evidence(whole), failures(whole)


async def _write(ledger: Ledger, mind: Mind, pieces: list[Piece], failed: str) -> Written:
    asker = await begin_asking(ledger, mind, STEP)
    room = mind.room
    while True:
        # In a small window what is wanted must not push out what was found.
        request, missing = cut(ledger.request.text, room // 2), cut(failed, room // 4)
        try:
            shorter = await _shorten(request, mind, asker, pieces, room)
            text = await _say(asker, mind, WRITER, ask_for_report(request, shorter.pieces, missing))
        except ContextTooLong:
            # The room is an estimate: tokens of some scripts are short.
            if room // 2 < LEAST:
                raise
            room //= 2
            continue
        return Written(
            text=text,
            model=asker.model,
            turns=asker.turns,
            tokens=asker.tokens,
            usd=asker.usd,
            reduced=shorter.reduced,
            left_out=shorter.left_out,
            cut=asker.cut,
        )


@dataclass(frozen=True, slots=True)
class _Shorter:
    """Results, or notes on them, that one question may hold."""

    pieces: list[Piece]
    reduced: int
    left_out: int


async def _shorten(request: str, mind: Mind, asker: Asker, pieces: list[Piece], room: int) -> _Shorter:
    reduced, left_out = 0, 0
    for _ in range(DEEPEST):
        if size(pieces) <= room:
            break
        parts = gather(pieces, room)
        most = max(1, mind.most_turns - asker.turns - 1)
        left_out += size(parts[most:])
        pieces = []
        for part in parts[:most]:
            notes = await _say(asker, mind, REDUCER, ask_for_notes(request, part))
            pieces.append(Piece(part.steps, notes))
        reduced = reduced or len(pieces)
    parts = gather(pieces, room)
    return _Shorter(parts[:1], reduced, left_out + size(parts[1:]))


async def _say(asker: Asker, mind: Mind, system: str, question: str) -> str:
    """Return the text of an answer. Raises ModelRefused where there is none."""
    # Another coordinator may have read it in other parts: its notes on one of them are no report.
    turn = await asker.ask(mind.question(system, (User(text=question),)), exactly=True)
    if turn.stop == "refused":
        raise ModelRefused(f"{turn.model} declined to write it")
    if not turn.message.text.strip():
        raise ModelRefused(f"{turn.model} answered with nothing")
    return turn.message.text
