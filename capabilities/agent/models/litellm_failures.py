"""What litellm raises, in our words. Pure: of its classes only the names count, as they change."""

import re
from collections.abc import Iterator
from datetime import timedelta

from ....errors import ContextTooLong, ModelRefused, ModelUnavailable
from . import failures
from .named import Access, Model

_CONNECTING = frozenset(
    {
        "ConnectTimeout", "ConnectionTimeoutError", "ClientConnectorError", "ClientConnectorDNSError",
        "ClientConnectorSSLError", "ClientConnectorCertificateError", "ClientProxyConnectionError", "ProxyError",
    }
)  # fmt: skip
_BROKEN = frozenset(
    {"ServerDisconnectedError", "ClientOSError", "ClientPayloadError", "ReadError", "RemoteProtocolError"}
)
_ANSWERED = frozenset({"HTTPStatusError", "ClientResponseError"})
_SILENT = frozenset({"APITimeoutError", "ReadTimeout", "Timeout", "SocketTimeoutError", "ServerTimeoutError"})
_WRAPPED = re.compile(r"^((litellm\.)?\w+(Error|Exception|Timeout)(: | - ))+")


def in_words(
    model: Model, access: Access, error: Exception, limit: timedelta, *, begun: bool
) -> ModelRefused | ModelUnavailable:
    """Return the error for a question that failed; `begun`: pieces of the answer had come already."""
    chain = tuple(_causes(error))
    names = {type(cause).__name__ for cause in chain}
    # A connection that is reset under a question is a ConnectError to litellm's client as well.
    reached = begun or "ClientOSError" in names
    if not reached and (
        names & _CONNECTING or "ConnectError" in names or "Cannot connect to host" in str(error)
    ):
        return failures.unreachable(str(model), access.address, "no connection")
    answered = _answered(chain)
    if names & _SILENT and not answered:
        return failures.silent(str(model), limit)
    if names & _BROKEN and not answered:
        return failures.cut_off(str(model))
    status = getattr(error, "status_code", None)
    words = _words(error)
    if "ContextWindowExceededError" in names:
        said = failures.quoted(words, access.key)
        return ContextTooLong(f"{model} cannot read so much at once{said}: shorten the conversation")
    if not isinstance(status, int) or not 300 <= status < 600:
        said = failures.quoted(f"{type(error).__name__}: {words}", access.key)
        return failures.unreadable(str(model), said.removeprefix(": "))
    told = failures.from_status(
        str(model), status, words, headers=_headers(chain), variable=access.variable, key=access.key
    )
    if isinstance(told, ModelUnavailable) and (begun or (status != 429 and not answered)):
        told.maybe_billed = 1
    return told


def holds_to_no_schema(error: Exception) -> bool:
    """Whether it failed because the model cannot be held to a schema."""
    status = getattr(error, "status_code", None)
    return isinstance(status, int) and failures.holds_to_no_schema(status, _words(error))


def _words(error: Exception) -> str:
    """Return the provider's own words, without the names that litellm puts before them."""
    return _WRAPPED.sub("", str(getattr(error, "message", "") or error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _answered(chain: tuple[BaseException, ...]) -> bool:
    """Whether the provider itself said no: then it bills nothing."""
    return any(
        type(cause).__name__ in _ANSWERED
        or (type(cause).__module__.startswith("openai") and hasattr(cause, "status_code"))
        for cause in chain
    )


def _headers(chain: tuple[BaseException, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for cause in chain:
        for holder in (getattr(cause, "response", None), cause):
            headers = getattr(holder, "headers", None)
            if headers is not None and hasattr(headers, "items"):
                found = {**{str(name): str(value) for name, value in headers.items()}, **found}
    return found
