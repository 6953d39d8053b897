"""Every provider but Anthropic, by litellm: loaded at the first question, in a thread, as it takes seconds."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from types import ModuleType
from typing import Any

from ....errors import ModelRefused
from . import failures
from .asked_for import ask_for
from .breathing import breathing
from .client import OnText, Question
from .conversation import Turn
from .listing import has_model
from .litellm_answer import Cut, StreamedAnswer, whole_turn
from .litellm_failures import holds_to_no_schema, in_words
from .litellm_library import abilities, loaded
from .litellm_question import parameters
from .named import Access, Model, read_model

_CONNECT = 10.0
"""Seconds to reach the provider, where litellm tells that apart."""

_users: set["LitellmClient"] = set()
"""Who has asked and not yet closed: litellm keeps its connections by process, and so this does."""


class LitellmClient:
    """Asks models of one provider. Without litellm, a question raises PackageMissing."""

    def __init__(self, access: Access, window: Callable[[str], int | None] = lambda _: None) -> None:
        """Nothing is loaded or opened before the first question. `window`: the tokens that a model reads."""
        self._access = access
        self._window = window
        self._unheld: set[str] = set()
        """Models that have said that they cannot be held to a schema."""

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """Return the model's answer; see `ModelClient.ask`. It is streamed where somebody listens."""
        model = read_model(question.model)
        if model.provider.keys:
            self._access.key_for(str(model))
        litellm = await asyncio.to_thread(loaded, str(model))
        _users.add(self)
        able = abilities(litellm, model.route)
        if able is not None and "tools" not in able and question.tools and question.may_use_tools:
            raise ModelRefused(f"{model} cannot use tools: name another model for agents")
        held = (able is None or "response_format" in able) and str(model) not in self._unheld
        try:
            return await self._asked(litellm, model, question, on_text, held=held)
        except _NotHeld:  # refused before anything was written: in words it can be told all the same
            self._unheld.add(str(model))
            return await self._asked(litellm, model, question, on_text, held=False)

    async def _asked(
        self, litellm: ModuleType, model: Model, question: Question, on_text: OnText | None, *, held: bool
    ) -> Turn:
        seconds = question.timeout.total_seconds()
        window = self._window(str(model))
        told = parameters(question, model, self._access, stream=on_text is not None, held=held, window=window)
        if litellm.supports_httpx_timeout(model.route.partition("/")[0]):
            import httpx

            told["timeout"] = httpx.Timeout(seconds, connect=min(_CONNECT, seconds))
        begun = False
        try:
            async with asyncio.timeout(seconds) as silence:
                got = await litellm.acompletion(**told)
                if on_text is None:
                    return whole_turn(model, got)
                answer = StreamedAnswer(model, on_text)
                async with aclosing(breathing(_closing(got))) as chunks:
                    async for chunk in chunks:
                        begun = True
                        silence.reschedule(asyncio.get_running_loop().time() + seconds)
                        answer.take(chunk)
                return answer.turn()
        except TimeoutError:
            raise failures.silent(str(model), question.timeout) from None
        except Cut:
            raise failures.cut_off(str(model)) from None
        except Exception as error:  # noqa: BLE001 - litellm lets through what any of a hundred providers' code raises
            if held and question.schema is not None and not begun and holds_to_no_schema(error):
                raise _NotHeld from None
            raise in_words(model, self._access, error, question.timeout, begun=begun) from None

    async def check(self, model: Model, timeout: timedelta) -> None:
        """See, at no cost, that the key is taken, and the model known where the provider lists all of its own.

        Where the provider has no way to tell, nothing is done. Raises ModelKeyRefused, ModelRefused for an
        unknown model, or ModelUnavailable when nobody answers.
        """
        provider, way = model.provider, self._access
        if provider.keys:
            way.key_for(str(model))
        if not provider.models_path:
            return
        bearer = "Bearer " if provider.key_header == "Authorization" else ""
        headers = {provider.key_header: f"{bearer}{way.sent_key}"} if way.sent_key else {}
        base = way.address or provider.address
        address = f"{base}{provider.models_path}"
        got = await ask_for(address, model=str(model), headers=headers, timeout=timeout, base=base)
        if failures.key_is_refused(got.status, got.text):
            raise failures.key_refused(str(model), way.variable, way.key, got.status)
        # A gateway need not list what it hands on.
        own = provider.local or way.address in (None, provider.address)
        if got.status == 200 and own and provider.lists_all and not has_model(got.text, model.name):
            raise ModelRefused(
                f"{model} is not among the models of its provider at {failures.shown(address)}: check its name"
                + (f", or `ollama pull {model.name}`" if model.route.startswith("ollama") else "")
            )

    async def close(self) -> None:
        """Let go of litellm's connections, which all of its users in this process share: the last one does."""
        if self not in _users:
            return
        _users.discard(self)
        if _users:
            return
        import litellm
        from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

        await close_litellm_async_clients()  # type: ignore[no-untyped-call]
        # Else the next one is handed what was closed.
        litellm.in_memory_llm_clients_cache.flush_cache()  # type: ignore[no-untyped-call]


class _NotHeld(Exception):
    """Raised when a model cannot be held to a schema."""


async def _closing(stream: Any) -> AsyncGenerator[Any, None]:
    try:
        async for chunk in stream:
            yield chunk
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
