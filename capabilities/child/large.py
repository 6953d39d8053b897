"""Large results: JSON that goes from a child to the object store without this process ever reading it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue
from pydantic_core import to_json

from ...errors import FinalError
from ...swarm.bodies import BODY_LIMIT
from ...swarm.records import Result
from ..definitions.sizes import format_size
from ..elsewhere import LARGE, elsewhere
from ..executor import Context


@dataclass(frozen=True, slots=True)
class Reading:
    """What a result's data is, and what it says for people."""

    data: JsonValue
    summary: str
    written: bytes | None = None
    """The data as JSON, where it is large; `data` is then None."""


def check_readable(name: str, size: int) -> None:
    """Raise FinalError for JSON that is larger than any result, before it is read."""
    if size > BODY_LIMIT:
        raise FinalError(
            f"{name}: it returned {format_size(size)} of JSON and {format_size(BODY_LIMIT)} is the limit: "
            "return less, or write a file and name it in artifacts:"
        )


async def read_where_it_fits(
    read: Callable[..., tuple[JsonValue, str]], size: int, *given: object
) -> Reading:
    """Read data and its summary: here, or, when it has over 1 MiB, in a process of its own."""
    if size <= LARGE:
        return Reading(*await asyncio.to_thread(read, *given))
    summary, written = await elsewhere(_written, read, given)
    if len(written) <= LARGE:
        return Reading(json.loads(written), summary)
    return Reading(None, summary, written)


def _written(read: Callable[..., tuple[JsonValue, str]], given: tuple[object, ...]) -> tuple[str, bytes]:
    data, summary = read(*given)
    return summary, to_json(data)


async def as_stored(result: Result, reading: Reading, context: Context) -> Result:
    """Return the result with its data; one of large data as the stand-in that refers to all of it."""
    if reading.written is None:
        return result
    body = b'%s,"data":%s}' % (result.to_bytes()[:-1], reading.written)
    check_readable("the result", len(body))
    ref = await context.artifacts.put(body, media_type="application/json")
    return Result(summary=result.summary[:2000], artifacts=result.artifacts[:100], ref=ref)
