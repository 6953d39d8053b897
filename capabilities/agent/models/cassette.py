"""Cassettes: exchanges with real models in a file, to be played again without a key, a network or a bill.

One line of JSON each: the question in its plain form, who was asked, and the answer. The last answer to a
question counts. No key and no header is ever in it; what people and tools said is.
"""

import asyncio
import json
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ....config.plain_file import open_plain
from ....errors import ModelRefused
from .client import ModelClient, OnText, Question
from .conversation import TURN, Turn
from .named import Model, read_model
from .same_question import Plain, difference, digest, plain

VERSION = 1
LARGEST = 256 * 1024 * 1024
"""Bytes of a cassette that is still read."""
_MASK = "***"
_SECRET = 8
"""Characters below which a word is too common to be masked."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer."""

    question: Plain
    model: str
    """Who was asked."""
    turn: Turn


class CassetteClient:
    """Answers from a cassette: a model called `cassette/FILE`."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is played whatever the model is called; None: the one that the model's name says."""
        self._path = path
        self._read: dict[Path, dict[str, Exchange]] = {}

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """Return the recorded answer, which costs nothing.

        Raises ModelRefused for a question that is not recorded, saying what differs from the nearest one,
        and for a file that cannot be read.
        """
        path = self._path or path_of(read_model(question.model))
        if path not in self._read:
            self._read[path] = await asyncio.to_thread(read_cassette, path)
        form = plain(question)
        found = self._read[path].get(digest(form))
        if found is None:
            raise ModelRefused(_missed(path, form, list(self._read[path].values())))
        if on_text is not None and found.turn.message.text:
            on_text(found.turn.message.text)
        turn = found.turn
        return replace(turn, model=question.model, usage=replace(turn.usage, usd=0.0), maybe_billed=0)

    async def check(self, model: Model, timeout: timedelta) -> None:
        """Raise ModelRefused where its file cannot be read."""
        await asyncio.to_thread(read_cassette, self._path or path_of(model))

    async def close(self) -> None:
        """Forget what was read."""
        self._read.clear()


class RecordingClient:
    """Asks another client and writes each answer down, before anybody has it."""

    def __init__(self, asked: ModelClient, path: Path, *, secrets: Collection[str] = ()) -> None:
        """`secrets` become `***` wherever they stand. Raises ModelRefused for a file that is no cassette."""
        self._asked = asked
        self._path = path
        self._secrets = [secret for secret in secrets if len(secret) >= _SECRET]
        self._writing = asyncio.Lock()
        if path.exists():
            read_cassette(path)

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """Return the other client's answer once it is recorded; raises what that client raises."""
        turn = await self._asked.ask(question, on_text)
        line = self._line(Exchange(plain(question), question.model, turn))
        async with self._writing:
            await asyncio.to_thread(_append, self._path, line)
        return turn

    async def close(self) -> None:
        """Close the other client."""
        await self._asked.close()

    def _line(self, exchange: Exchange) -> bytes:
        told: dict[str, Any] = {
            "v": VERSION,
            "model": exchange.model,
            "question": exchange.question,
            "turn": TURN.dump_python(exchange.turn, mode="json"),
        }
        text = json.dumps(told, ensure_ascii=False)
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text.encode("utf-8", "backslashreplace") + b"\n"


def path_of(model: Model) -> Path:
    """Return the file that a model's name says. Raises ModelRefused."""
    try:
        return Path(model.name).expanduser()
    except RuntimeError:
        raise ModelRefused(f"model {model}: that user has no home here: write the whole path") from None


def read_cassette(path: Path) -> dict[str, Exchange]:
    """Return the exchanges by the digest of their question. Raises ModelRefused."""
    try:
        with open_plain(path) as stream:
            data = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise ModelRefused(
            f"cassette {path} is not there: record it with `picoclaw fake-llm serve --record MODEL --cassette {path}`"
        ) from None
    except OSError as error:
        raise ModelRefused(f"cassette {path} cannot be read ({error.strerror}): name a plain file") from None
    if len(data) > LARGEST:
        raise ModelRefused(f"cassette {path} is over {LARGEST // 2**20} MiB: is it the right file?")
    found: dict[str, Exchange] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            exchange = _exchange(line, f"cassette {path}:{number}")
            found[digest(exchange.question)] = exchange
    if data and not data.endswith(b"\n"):
        raise ModelRefused(f"cassette {path}: its last line has no end: add a line break, or remove the line")
    return found


def _exchange(line: bytes, where: str) -> Exchange:
    try:
        told = json.loads(line)
        if told["v"] != VERSION:
            raise ModelRefused(
                f"{where}: it is of version {told['v']}, this picoclaw reads {VERSION}: record it anew"
            )
        exchange = Exchange(told["question"], str(told["model"]), TURN.validate_python(told["turn"]))
        messages, tools = exchange.question["messages"], exchange.question["tools"]
        well = all(isinstance(one, dict) and "role" in one for one in messages) and isinstance(tools, list)
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        well = False
    if not well:
        raise ModelRefused(f"{where}: this line is no exchange with a model: record it anew, or remove it")
    return exchange


def _missed(path: Path, form: Plain, known: list[Exchange]) -> str:
    turn = 1 + sum(message["role"] == "assistant" for message in form["messages"])
    said = f"cassette {path} has no answer to this question (turn {turn})"
    if not known:
        return f"{said}: it is empty; record it anew"
    # Of those that are equally near the first one recorded.
    _, words = max((difference(form, one.question) for one in known), key=lambda pair: pair[0])
    return (
        f"{said}; the nearest of its {len(known)} differs in {words}: ask as it was asked, or record it anew"
    )


def _append(path: Path, line: bytes) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while line:
                line = line[os.write(number, line) :]
        finally:
            os.close(number)
    except OSError as error:
        raise ModelRefused(
            f"cassette {path} cannot be written ({error.strerror}), and the answer is lost: free space, or name "
            "another file"
        ) from None
