"""Models that the settings name: whether each can be asked from here, by a call that costs nothing."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from ...config.settings import LlmSettings, Settings
from ...errors import ModelRefused, ModelUnavailable, PicoclawError
from ...swarm.checks.row import Row, failed_with, ok

LIMIT = timedelta(seconds=5)
"""How long a provider may take."""


async def model_rows(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Row]:
    """Check the models of `llm.*`, all at once; one that does not answer now is a warning."""
    llm = settings.llm
    names = tuple(dict.fromkeys(filter(None, (llm.model, *llm.fallbacks, llm.coordinator.model))))
    if not names:
        return [
            ok("model", "none is set: agents, research, writing and plans of any words need one (llm.model)")
        ]
    async with asyncio.TaskGroup() as group:
        checks = [group.create_task(_row(name, llm, environ)) for name in names]
    return [check.result() for check in checks]


async def _row(name: str, llm: LlmSettings, environ: Mapping[str, str]) -> Row:
    from ...capabilities.agent.models.connect import check_key
    from ...capabilities.agent.models.named import read_model, readiness

    found = readiness(name, llm, environ)
    if not found.ready:
        return failed_with("model", found.why)
    try:
        await check_key(name, llm, environ=environ, timeout=LIMIT)
    except ModelUnavailable as error:
        return replace(failed_with("model", str(error)), status="warning")
    except ModelRefused as error:
        return failed_with("model", str(error))
    model = read_model(name)
    if model.provider.adapter == "cassette":
        return ok("model", f"{name}: played from a file")
    return ok("model", f"{model}: {_access(name, llm, environ)}; {_price(str(model), llm)}")


def _access(name: str, llm: LlmSettings, environ: Mapping[str, str]) -> str:
    from ...capabilities.agent.models.named import access, read_model

    way = access(read_model(name), llm, environ)
    where = f"the server at {way.address}" if way.address else "its provider"
    return f"{where} takes the key in {way.variable}" if way.key else f"{where} asks for no key"


def _price(model: str, llm: LlmSettings) -> str:
    from ...capabilities.agent.models.prices import known_prices

    try:
        price = known_prices(llm.prices).find(model)
    except PicoclawError as error:
        return str(error)
    return "price known" if price is not None else "price unknown: limit its tokens, not its USD"
