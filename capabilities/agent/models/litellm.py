"""Every provider but Anthropic, by litellm: loaded at the first question, in a thread, as it takes seconds."""

import asyncio
import os
import warnings
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import timedelta
from types import ModuleType
from typing import Any

from ....errors import ContextTooLong, ModelRefused, ModelUnavailable
from . import failures
from .breathing import breathing
from .client import OnText, Question
from .conversation import Turn
from .litellm_answer import Cut, StreamedAnswer, whole_turn
from .litellm_question import parameters
from .named import Access, Model, PackageMissing, read_model

_UNREACHED = frozenset({"ConnectError", "ConnectTimeout", "ClientConnectorError", "ClientConnectorDNSError"})
_ANSWERED = frozenset({"HTTPStatusError", "ClientResponseError"})
_SILENT = frozenset({"APITimeoutError", "ReadTimeout", "Timeout", "SocketTimeoutError", "ServerTimeoutError"})

_users: set["LitellmClient"] = set()
"""Who has asked and not yet closed: litellm keeps its connections by process, and so this does."""


class LitellmClient:
    """Asks models of one provider. Without litellm, a question raises PackageMissing."""

    def __init__(self, access: Access) -> None:
        """Nothing is loaded or opened before the first question."""
        self._access = access

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """Return the model's answer; see `ModelClient.ask`. It is streamed where somebody listens."""
        model = read_model(question.model)
        if model.provider.keys and self._access.sent_key is None:
            raise failures.key_refused(str(model), self._access.variable, None)
        litellm = await asyncio.to_thread(loaded, str(model))
        _users.add(self)
        told = parameters(question, model, self._access, stream=on_text is not None)
        try:
            async with asyncio.timeout(question.timeout.total_seconds()) as silence:
                got = await litellm.acompletion(**told)
                if on_text is None:
                    return whole_turn(model, got)
                answer = StreamedAnswer(model, on_text)
                later = question.timeout.total_seconds()
                async with aclosing(breathing(_closing(got))) as chunks:
                    async for chunk in chunks:
                        silence.reschedule(asyncio.get_running_loop().time() + later)
                        answer.take(chunk)
                return answer.turn()
        except TimeoutError:
            raise failures.silent(str(model), question.timeout) from None
        except Cut:
            raise failures.cut_off(str(model)) from None
        except Exception as error:  # noqa: BLE001 - litellm lets through what any of a hundred providers' code raises
            raise self._in_words(litellm, model, error, question.timeout) from None

    async def check(self, model: Model, timeout: timedelta) -> None:
        """See, at no cost, that the key is taken; where the provider has no way to tell, nothing is done.

        Raises ModelKeyRefused, or ModelUnavailable when nobody answers.
        """
        provider, way = model.provider, self._access
        if provider.keys and way.sent_key is None:
            raise failures.key_refused(str(model), way.variable, None)
        if not provider.models_path:
            return
        httpx2 = await asyncio.to_thread(_http, str(model))
        headers = {"Authorization": f"Bearer {way.sent_key}"} if way.sent_key else {}
        try:
            async with asyncio.timeout(timeout.total_seconds()), httpx2.AsyncClient() as http:
                address = f"{way.address or provider.address}{provider.models_path}"
                got = await http.get(address, headers=headers, timeout=timeout.total_seconds())
        except (TimeoutError, httpx2.HTTPError) as error:
            why = str(error) or "no answer in time"
            raise failures.unreachable(str(model), way.address or provider.address, why) from None
        if got.status_code in (401, 403):
            raise failures.key_refused(str(model), way.variable, way.key, got.status_code)

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

    def _in_words(
        self, litellm: ModuleType, model: Model, error: Exception, limit: timedelta
    ) -> ModelRefused | ModelUnavailable:
        names = {type(cause).__name__ for cause in _causes(error)}
        if names & _UNREACHED or "Cannot connect to host" in str(error):
            return failures.unreachable(str(model), self._access.address, "no connection")
        if names & _SILENT and not _answered(error):
            return failures.silent(str(model), limit)
        status = getattr(error, "status_code", None)
        words = str(getattr(error, "message", "") or error).removeprefix(f"litellm.{type(error).__name__}: ")
        if isinstance(error, litellm.ContextWindowExceededError):
            said = failures.quoted(words, self._access.key)
            return ContextTooLong(f"{model} cannot read so much at once{said}: shorten the conversation")
        if not isinstance(status, int) or not 300 <= status < 600:
            said = failures.quoted(f"{type(error).__name__}: {words}", self._access.key)
            return failures.unreadable(str(model), said.removeprefix(": "))
        told = failures.from_status(
            str(model),
            status,
            words,
            headers=_headers(error),
            variable=self._access.variable,
            key=self._access.key,
        )
        if isinstance(told, ModelUnavailable) and status != 429 and not _answered(error):
            told.maybe_billed = 1
        return told


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
    except ImportError as error:
        raise PackageMissing(
            f"model {model} needs a package ({error.name or 'litellm'}): pip install 'picoclaw-swarm[litellm]'"
        ) from None
    # Its own noise, of which no user of ours can make anything.
    warnings.filterwarnings("ignore", module="litellm")
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = True
    return litellm


def _http(model: str) -> Any:
    try:
        import httpx2
    except ImportError:
        raise PackageMissing(f"model {model} needs a package: pip install 'picoclaw-swarm[agent]'") from None
    return httpx2


async def _closing(stream: Any) -> AsyncGenerator[Any, None]:
    try:
        async for chunk in stream:
            yield chunk
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _answered(error: Exception) -> bool:
    """Whether the provider itself said no: then it bills nothing."""
    import openai

    return any(
        type(cause).__name__ in _ANSWERED
        or (isinstance(cause, openai.APIStatusError) and type(cause).__module__.startswith("openai"))
        for cause in _causes(error)
    )


def _headers(error: Exception) -> dict[str, str]:
    found: dict[str, str] = {}
    for cause in _causes(error):
        for holder in (getattr(cause, "response", None), cause):
            headers = getattr(holder, "headers", None)
            if headers is not None and hasattr(headers, "items"):
                found = {**{str(name): str(value) for name, value in headers.items()}, **found}
    return found
