"""The server's paths: both protocols, and what it was asked."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import chain, islice
from types import ModuleType
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ....config.plain_json import read_json
from ..models.client import ModelClient
from . import anthropic_answer, openai_answer
from .anthropic_question import read_question as read_anthropic
from .asked import Asked, Protocol
from .decide import Given, answer, choose, known
from .ledger import Ledger, State
from .openai_question import read_question as read_openai
from .refused import Refused
from .script import Refusal, Script
from .sending import Ended, Pieces
from .through import passed_on

LARGEST = 32 * 1024 * 1024
"""Bytes of a question: Anthropic's own limit."""
PATIENCE = timedelta(seconds=60)
"""How long a question may take to come in."""

_ANSWERS: Mapping[Protocol, ModuleType] = {"anthropic": anthropic_answer, "openai": openai_answer}
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Playing:
    """A script that is being played."""

    script: Script
    named: str
    """What messages call the script."""
    models: ModelClient | None = None
    """Who answers in the place of the script's rules: a real model, or a cassette."""
    model: str = ""
    """What it is asked as."""
    ledger: Ledger = field(default_factory=Ledger)


def make_app(playing: Playing) -> Starlette:
    """Return the application."""

    async def messages(request: Request) -> Response:
        return await _ask(playing, request, "anthropic")

    async def completions(request: Request) -> Response:
        return await _ask(playing, request, "openai")

    async def count_tokens(request: Request) -> Response:
        return await _count(playing, request)

    async def models(request: Request) -> Response:
        return _models(playing, request)

    async def one_model(request: Request) -> Response:
        return _one_model(playing, request)

    async def calls(request: Request) -> Response:
        if request.method == "DELETE":
            playing.ledger.clear()
        return JSONResponse(playing.ledger.as_json())

    async def front(request: Request) -> Response:
        return JSONResponse({"server": "picoclaw fake-llm", "script": playing.named})

    return Starlette(
        routes=[
            Route("/", front),
            Route("/v1/messages", messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/models/{model:path}", one_model),
            Route("/_calls", calls, methods=["GET", "DELETE"]),
        ],
        exception_handlers={HTTPException: _no_such_path, Exception: _bug},
    )


async def _ask(playing: Playing, request: Request, protocol: Protocol) -> Response:
    key = _key(request)
    number = playing.ledger.open(protocol=protocol, path=request.url.path, key=_fingerprint(key))
    try:
        _let_in(playing.script, request, protocol, key)
        body = await _body(request, protocol)
        digest = _digest(body)
        playing.ledger.note(number, digest=digest)
        asked = read_openai(body) if protocol == "openai" else read_anthropic(body)
        playing.ledger.note(number, model=asked.model, turn=asked.turn, stream=asked.stream)
        given = await _given(playing, asked)
    except Refused as error:
        return _refusal(playing, protocol, error.refusal, number)
    except ClientDisconnect:
        playing.ledger.note(number, state="left")
        return Response(status_code=499)
    playing.ledger.note(number, rule=given.rule)
    return _answer(playing, given, asked, number, digest)


def _answer(playing: Playing, given: Given, asked: Asked, number: int, digest: str) -> Response:
    if given.error is not None and (given.error.after is None or not asked.stream):
        return _refusal(playing, asked.protocol, given.error, number, first=given.first)
    playing.ledger.note(
        number, billed=True, status=200, input=given.counted.input, output=given.counted.output
    )
    form = _ANSWERS[asked.protocol]
    # By the question: ids of calls are unique in a conversation even if this server is a new one.
    identity = f"fake{digest[:24]}"

    def ended(state: Ended) -> None:
        playing.ledger.note(number, state=state)

    if asked.stream:
        pieces = form.events(given, asked, identity)
        if given.error is not None:
            pieces = chain(islice(pieces, given.error.after), [form.error_event(given.error, identity)])
        if given.malformed == "stream":
            pieces = (piece.replace(b'"}', b'"', 1) for piece in pieces)
        return Pieces(
            pieces,
            media_type="text/event-stream",
            headers=_headers(asked.protocol, identity),
            first=given.first,
            between=given.between,
            cut=given.cut,
            ended=ended,
        )
    body = json.dumps(form.body(given, asked, identity), ensure_ascii=False).encode()
    if given.malformed == "body":
        body = body[: len(body) // 2]
    halves = [body] if given.cut is None else [body[: len(body) // 2]]
    return Pieces(
        halves,
        media_type="application/json",
        headers=_headers(asked.protocol, identity),
        first=given.first + given.between,
        cut=None if given.cut is None else 1,
        ended=ended,
    )


def _refusal(
    playing: Playing, protocol: Protocol, refusal: Refusal, number: int, *, first: timedelta = timedelta()
) -> Response:
    identity = _identity(number)
    status, body = _ANSWERS[protocol].error_body(refusal, identity)
    headers = _headers(protocol, identity)
    if refusal.retry_after is not None:
        headers["retry-after"] = _retry_after(refusal.retry_after, as_date=refusal.as_date)
    playing.ledger.note(number, status=status)

    def ended(how: Ended) -> None:
        state: State = "error" if how == "answered" else how
        playing.ledger.note(number, state=state)

    return Pieces(
        [json.dumps(body, ensure_ascii=False).encode()],
        status=status,
        media_type="application/json",
        headers=headers,
        first=first,
        ended=ended,
    )


def _retry_after(wait: timedelta, *, as_date: bool) -> str:
    if as_date:
        return format_datetime(datetime.now(UTC) + wait + timedelta(seconds=0.999), usegmt=True)
    return f"{wait.total_seconds():.3f}".rstrip("0").rstrip(".")


def _let_in(script: Script, request: Request, protocol: Protocol, key: str) -> None:
    if not key:
        raise Refused(
            "x-api-key header is required"
            if protocol == "anthropic"
            else "You didn't provide an API key. You need to provide your API key in an Authorization header using "
            "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            kind="key",
        )
    if script.keys and key not in script.keys:
        raise Refused(kind="key")
    if protocol == "anthropic" and "anthropic-version" not in request.headers:
        raise Refused("anthropic-version: header is required")


def _check_model(script: Script, protocol: Protocol, model: str) -> None:
    if not known(script, model):
        raise Refused(
            f"model: {model}"
            if protocol == "anthropic"
            else f"The model `{model}` does not exist or you do not have access to it.",
            kind="unknown_model",
        )


def _check_length(script: Script, asked: Asked) -> None:
    if script.context is not None and asked.tokens > script.context:
        raise Refused(
            f"prompt is too long: {asked.tokens} tokens > {script.context} maximum"
            if asked.protocol == "anthropic"
            else f"This model's maximum context length is {script.context} tokens. However, your messages resulted in "
            f"{asked.tokens} tokens. Please reduce the length of the messages.",
            kind="too_long",
            param="messages",
        )


async def _given(playing: Playing, asked: Asked) -> Given:
    _check_model(playing.script, asked.protocol, asked.model)
    _check_length(playing.script, asked)
    if playing.models is not None:
        return await passed_on(playing.models, playing.model, asked)
    rule = choose(playing.script, playing.ledger.used, asked)
    if rule is not None:
        playing.ledger.answered_by(rule.name)
        return answer(rule, asked)
    raise Refused(
        f"picoclaw fake-llm: no rule of {playing.named} matches this question (model {asked.model[:100]!r}, turn "
        f"{asked.turn}, the user said {asked.user[:100]!r}): add one, or a last rule without `when:`"
    )


async def _body(request: Request, protocol: Protocol) -> Any:
    data = bytearray()
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            async for piece in request.stream():
                data += piece
                if len(data) > LARGEST:
                    raise Refused(kind="too_large")
    except TimeoutError:
        raise Refused(kind="timeout") from None
    try:
        return await asyncio.to_thread(read_json, bytes(data))
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"The request body is not valid JSON: {error}"
            if protocol == "anthropic"
            else "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your "
            f"HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON: {error})"
        ) from None


async def _count(playing: Playing, request: Request) -> Response:
    try:
        _let_in(playing.script, request, "anthropic", _key(request))
        asked = read_anthropic(await _body(request, "anthropic"), counting=True)
        _check_model(playing.script, asked.protocol, asked.model)
    except Refused as error:
        return _plain_refusal("anthropic", error.refusal)
    except ClientDisconnect:
        return Response(status_code=499)
    return JSONResponse({"input_tokens": asked.tokens})


def _models(playing: Playing, request: Request) -> Response:
    protocol = _protocol(request)
    try:
        _let_in(playing.script, request, protocol, _key(request))
    except Refused as error:
        return _plain_refusal(protocol, error.refusal)
    names = playing.script.models or ("fake",)
    rows = [_model(protocol, name) for name in names]
    if protocol == "openai":
        return JSONResponse({"object": "list", "data": rows})
    return JSONResponse({"data": rows, "has_more": False, "first_id": names[0], "last_id": names[-1]})


def _one_model(playing: Playing, request: Request) -> Response:
    protocol, name = _protocol(request), request.path_params["model"]
    try:
        _let_in(playing.script, request, protocol, _key(request))
        _check_model(playing.script, protocol, name)
    except Refused as error:
        return _plain_refusal(protocol, error.refusal)
    return JSONResponse(_model(protocol, name))


def _model(protocol: Protocol, name: str) -> dict[str, Any]:
    if protocol == "openai":
        return {"id": name, "object": "model", "created": openai_answer.CREATED, "owned_by": "fake"}
    made = "2026-01-01T00:00:00Z"
    return {"type": "model", "id": name, "display_name": name, "created_at": made, "lifecycle": "active"}


def _protocol(request: Request) -> Protocol:
    return "anthropic" if "anthropic-version" in request.headers else "openai"


def _plain_refusal(protocol: Protocol, refusal: Refusal) -> Response:
    status, body = _ANSWERS[protocol].error_body(refusal, _identity(0))
    return JSONResponse(body, status)


def _key(request: Request) -> str:
    bearer = request.headers.get("authorization", "")
    return request.headers.get("x-api-key") or (bearer[7:].strip() if bearer[:7].lower() == "bearer " else "")


def _fingerprint(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12] if key else ""


def _digest(body: Any) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(number: int) -> str:
    return f"fake{number:020d}"


def _headers(protocol: Protocol, identity: str) -> dict[str, str]:
    return {
        "request-id" if protocol == "anthropic" else "x-request-id": f"req_{identity}",
        "cache-control": "no-cache",
    }


async def _no_such_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    message = (
        f"picoclaw fake-llm has no {request.method} {request.url.path}: it serves POST /v1/messages and "
        "/v1/chat/completions, and GET /v1/models and /_calls"
    )
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status)


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("fake-llm failed at %s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse(
        {"type": "error", "error": {"type": "api_error", "message": f"picoclaw fake-llm: {error!r}"}}, 500
    )
