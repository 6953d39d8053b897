"""litellm itself: loaded when it is needed first, quiet, and asking no provider twice."""

import logging
import os
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from .named import PackageMissing

_LATER = (
    "anyio._backends._asyncio",
    "litellm._service_logger",
    "litellm.litellm_core_utils.default_encoding",
    "litellm.llms.vertex_ai.vertex_ai_partner_models.anthropic.transformation",
    "litellm.proxy._experimental.mcp_server.stdio_gate",
    "litellm.proxy._types",
    "litellm.types.litellm_core_utils.streaming_chunk_builder_utils",
    "openai.lib.streaming.chat",
    "openai.resources",
)
"""What it imports with its first question, which would hold up the event loop for as long."""


def loaded(model: str) -> ModuleType:
    """Import litellm and make it quiet: no network, no `.env` of the folder, no prompts in any log.

    Blocks for seconds the first time. Raises PackageMissing when it is not installed.
    """
    # What it would fetch from the network, with retries, while it is imported or first asked.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
    # Else it reads `.env` of the folder while it is imported.
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    try:
        import litellm
        from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
    except ImportError as error:
        raise PackageMissing(
            f"model {model} needs a package ({error.name or 'litellm'}): pip install 'picoclaw-swarm[litellm]'"
        ) from None
    for name in _LATER:
        with suppress(ImportError):  # a release may have put it elsewhere
            import_module(name)
    # Its own noise, of which no user of ours can make anything: what fails is raised, and told by us.
    warnings.filterwarnings("ignore", module="litellm")
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = True
    # It has no setting for this: after a connection that broke, its client sends the question once more,
    # though the provider may have begun, and bill, an answer. Retries are resilient.py's.
    AsyncHTTPHandler.single_connection_post_request = _not_again  # type: ignore[method-assign]
    return litellm


async def _not_again(*_: Any, **__: Any) -> NoReturn:
    """Raise the failure after which litellm's client would ask again."""
    raise sys.exc_info()[1] or ConnectionError("the connection broke")


def abilities(litellm: ModuleType, route: str) -> frozenset[str] | None:
    """Return the parameters that litellm can hand on to a model, all others being dropped; None: unknown."""
    provider, _, name = route.partition("/")
    known = litellm.get_supported_openai_params(model=name, custom_llm_provider=provider)
    return frozenset(known) if known else None
