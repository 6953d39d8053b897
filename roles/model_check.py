"""Models at a node's start: a key that its provider refuses is named before any work."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta

from ..capabilities.executor import Executors
from ..config.settings import Settings
from ..errors import ModelRefused, ModelUnavailable
from .offering import Offering

log = logging.getLogger(__name__)

LIMIT = timedelta(seconds=5)
"""A provider that does not answer holds up a start for no longer."""
WITH_IMPORTS = timedelta(seconds=30)
"""The same with what it takes to load a provider's package on a busy machine."""


async def refused_models(settings: Settings, offering: Offering) -> tuple[tuple[str, str], ...]:
    """Ask, at no cost, for each model of what is offered; return those that are refused, with why.

    One that does not answer is logged and no reason to wait: it may answer when it is needed.
    """
    models = models_of(offering.executors, offering.offer.agents)
    if settings.swarm.role == "coordinator":
        from .thinking.connecting import coordinators_models

        models |= set(coordinators_models(settings.llm))
    if not models:
        return ()
    async with asyncio.TaskGroup() as group:
        checks = {model: group.create_task(_problem(model, settings)) for model in sorted(models)}
    return tuple((model, why) for model, check in checks.items() if (why := check.result()))


def models_of(executors: Executors, agents: Iterable[str]) -> set[str]:
    """Return the models of some agents."""
    from ..capabilities.agent.served import ProfileExecutor

    wanted = frozenset(agents)
    served = (one for one in executors.values() if isinstance(one, ProfileExecutor))
    return {model for one in served if one.agent in wanted for model in one.models}


async def _problem(model: str, settings: Settings) -> str:
    from ..capabilities.agent.models.connect import check_key

    try:
        async with asyncio.timeout(WITH_IMPORTS.total_seconds()):
            await check_key(model, settings.llm, timeout=LIMIT)
    except ModelUnavailable as error:
        log.warning("a model does not answer now: %s", error)
    except TimeoutError:
        log.warning("model %s did not answer within %d s", model, WITH_IMPORTS.total_seconds())
    except ModelRefused as error:
        log.error("a model cannot be asked: %s", error)
        return str(error)
    return ""
