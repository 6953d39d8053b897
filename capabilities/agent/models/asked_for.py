"""One GET of a provider: for a check that costs nothing, without a provider's package, which takes a second to load."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from . import failures
from .named import PackageMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What a provider answered."""

    status: int
    text: str
    headers: Mapping[str, str]


async def ask_for(
    address: str, *, model: str, headers: Mapping[str, str], timeout: timedelta, base: str | None
) -> Got:
    """Return the answer to a GET, whatever its status; no redirection is followed.

    `base`: the provider's address as messages show it. Raises ModelUnavailable when nobody answers in time,
    PackageMissing.
    """
    httpx2 = await asyncio.to_thread(_loaded, model)
    try:
        async with asyncio.timeout(timeout.total_seconds()), httpx2.AsyncClient() as http:
            got = await http.get(address, headers=dict(headers), timeout=timeout.total_seconds())
    except (TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise failures.unreachable(model, base, str(error) or "no answer in time") from None
    return Got(status=got.status_code, text=got.text, headers=dict(got.headers))


def _loaded(model: str) -> Any:
    try:
        import httpx2
    except ImportError:
        raise PackageMissing(f"model {model} needs a package: pip install 'picoclaw-swarm[agent]'") from None
    return httpx2
