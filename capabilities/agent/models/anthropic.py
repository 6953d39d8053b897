"""Claude, by Anthropic's own SDK. Answers are always streamed: a cut is seen, and a long one outlives proxies."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ....errors import ModelRefused, ModelUnavailable
from . import failures
from .anthropic_answer import Answer, Cut, Malformed
from .anthropic_question import parameters
from .asked_for import ask_for
from .bounded_events import bound_events
from .breathing import breathing
from .client import OnText, Question
from .conversation import Turn
from .named import Access, Model, PackageMissing, read_model

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import RawMessageStreamEvent

_ADDRESS = "https://api.anthropic.com"
_VERSION = "2023-06-01"
"""Of its protocol, as the SDK says it."""
_CONNECT = 10.0
"""Seconds to reach the provider."""


class AnthropicClient:
    """Asks models of Anthropic, or of a server that speaks as it does.

    Without the SDK, a question raises PackageMissing; without a key, ModelKeyRefused.
    """

    def __init__(self, access: Access) -> None:
        """Nothing is loaded or opened before the first question."""
        self._access = access
        self._opening = asyncio.Lock()
        self._sdk: AsyncAnthropic | None = None
        self._unheld: set[str] = set()
        """Models that have said that they cannot be held to a schema, as the older ones cannot."""

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """Return the model's answer; see `ModelClient.ask`."""
        model = read_model(question.model)
        sdk = await self._opened(model)
        try:
            return await self._asked(sdk, model, question, on_text, held=model.name not in self._unheld)
        except _NotHeld:  # refused before anything was written: in words it can be told all the same
            self._unheld.add(model.name)
            return await self._asked(sdk, model, question, on_text, held=False)

    async def _asked(
        self, sdk: "AsyncAnthropic", model: Model, question: Question, on_text: OnText | None, *, held: bool
    ) -> Turn:
        import anthropic
        import httpx2

        answer = Answer(on_text or _ignore)
        asked = False
        try:
            async with asyncio.timeout(question.timeout.total_seconds()) as silence:
                stream = await sdk.messages.create(
                    **parameters(question, model.name, may_hold=held),
                    stream=True,
                    timeout=httpx2.Timeout(question.timeout.total_seconds(), connect=_CONNECT),
                )
                asked = True
                async with aclosing(breathing(_events(stream))) as events:
                    async for event in events:
                        silence.reschedule(_later(question.timeout))
                        answer.take(event)
            return answer.turn(model)
        except TimeoutError:
            raise failures.silent(str(model), question.timeout) from None
        except anthropic.APITimeoutError as error:
            if isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout):
                raise failures.unreachable(
                    str(model), self._access.address, "no connection in time"
                ) from None
            raise failures.silent(str(model), question.timeout) from None
        except anthropic.APIConnectionError as error:
            raise self._unconnected(model, error) from None
        except anthropic.APIStatusError as error:
            if (
                held
                and question.schema is not None
                and failures.holds_to_no_schema(error.status_code, error.api_message or "")
            ):
                raise _NotHeld from None
            raise self._refused(model, error, billed=asked) from None
        except httpx2.TimeoutException:
            raise failures.silent(str(model), question.timeout) from None
        except (httpx2.TransportError, httpx2.StreamError, Cut):
            raise failures.cut_off(str(model)) from None
        except (Malformed, anthropic.APIResponseValidationError, ValueError) as error:
            raise failures.unreadable(str(model), f"{type(error).__name__}: {error}") from None

    async def check(self, model: Model, timeout: timedelta) -> None:
        """See, at no cost, that the key is taken and the model known.

        Raises ModelKeyRefused, ModelRefused for an unknown model, ModelUnavailable when nobody answers.
        """
        way, key = self._access, self._access.key_for(str(model))
        if find_spec("anthropic") is None:
            raise _missing(str(model))
        sent = {"authorization": f"Bearer {key}"} if _is_bearer(way) else {"x-api-key": key}
        got = await ask_for(
            f"{(way.address or _ADDRESS).rstrip('/')}/v1/models/{quote(model.name, safe='')}",
            model=str(model),
            headers={"anthropic-version": _VERSION, **sent},
            timeout=timeout,
            base=way.address,
        )
        if got.status in (404, 405, 501) and way.address:
            return  # a gateway or server that answers questions need not list its models
        words = words_of(got.text)
        if not 200 <= got.status < 300:
            raise failures.from_status(
                str(model), got.status, words or "", headers=got.headers, variable=way.variable, key=way.key
            )
        if words is None and not way.address:
            raise failures.unreadable(str(model), "it answers with something else than JSON")

    async def close(self) -> None:
        """Let go of its connections."""
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    async def _opened(self, model: Model) -> "AsyncAnthropic":
        self._access.key_for(str(model))
        async with self._opening:
            if self._sdk is None:
                self._sdk = await asyncio.to_thread(
                    _made, self._access, str(model)
                )  # its import takes a second
            return self._sdk

    def _unconnected(self, model: Model, error: Exception) -> ModelUnavailable:
        import httpx2

        cause = error.__cause__
        if isinstance(cause, httpx2.ConnectError | httpx2.UnsupportedProtocol | httpx2.ProxyError):
            return failures.unreachable(str(model), self._access.address, str(cause) or type(cause).__name__)
        return failures.cut_off(str(model))

    def _refused(self, model: Model, error: Any, *, billed: bool) -> ModelRefused | ModelUnavailable:
        # An error in the middle of a stream comes with the stream's own status, 200.
        status = _STATUS.get(error.type or "", 500) if error.status_code == 200 else error.status_code
        refused = failures.from_status(
            str(model),
            status,
            error.api_message or "",
            headers=dict(error.response.headers),
            variable=self._access.variable,
            key=self._access.key,
        )
        if isinstance(refused, ModelUnavailable):
            refused.maybe_billed = int(billed)
        return refused


class _NotHeld(Exception):
    """Raised when a model cannot be held to a schema."""


_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def _missing(model: str) -> PackageMissing:
    return PackageMissing(f"model {model} needs a package: pip install 'picoclaw-swarm[agent]'")


def _is_bearer(access: Access) -> bool:
    return access.variable == "ANTHROPIC_AUTH_TOKEN"


def words_of(text: str) -> str | None:
    """Return an answer's words about its failure, empty where it has none; None: it is no JSON. Pure."""
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    error = data.get("error") if isinstance(data, dict) else None
    return str(error.get("message") or "") if isinstance(error, dict) else ""


def _made(access: Access, model: str) -> "AsyncAnthropic":
    try:
        from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
    except ImportError:
        raise _missing(model) from None
    bearer = _is_bearer(access)
    return AsyncAnthropic(
        api_key=None if bearer else access.sent_key,
        auth_token=access.sent_key if bearer else None,
        base_url=access.address or _ADDRESS,
        max_retries=0,  # retries are resilient.py's
        # Its key would go along to wherever an answer leads.
        http_client=DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"response": [bound_events]}),
        open_telemetry=False,
    )


async def _events(stream: Any) -> "AsyncGenerator[RawMessageStreamEvent, None]":
    try:
        kind = stream.response.headers.get("content-type", "none")
        if not kind.startswith("text/event-stream"):  # as of a website, or a gateway's greeting
            raise Malformed(f"its answer is no stream of events but {kind[:60]}")
        async for event in stream:
            yield event
    finally:
        await stream.close()


def _later(limit: timedelta) -> float:
    return asyncio.get_running_loop().time() + limit.total_seconds()


def _ignore(text: str) -> None:
    """Nobody listens."""
