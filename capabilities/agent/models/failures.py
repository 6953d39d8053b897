"""What a provider's failure means: may asking again help, and may it have been paid for. Nothing here asks."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from ....config.urls import redact_url
from ....errors import ContextTooLong, ModelKeyRefused, ModelRefused, ModelUnavailable, QuestionRefused

_LONGEST = timedelta(hours=24)
_KEY = 8
"""Characters of a shorter key stand in any text; a rehearsal's is `fake`."""
_LONG = 300
"""Characters of a provider's own words that go into a message of ours."""
_AGAIN = frozenset({408, 409, 421, 423, 425, 429})
_TOO_LONG = re.compile(
    r"prompt is too long|too many (input )?tokens|context[ _-]?(length|window|limit|size)|maximum context"
    r"|input (is )?(too long|length)|exceeds? (the )?(model'?s? )?(maximum|max)[\w -]{0,30} (tokens|length)"
    r"|reduce the length|string_above_max_length",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(
    r"insufficient_quota|insufficient balance|credit balance|billing|exceeded your current quota"
    r"|(api|spend(ing)?|monthly|hard) (usage )?limits?|organization has been disabled",
    re.IGNORECASE,
)
_NO_KEY = re.compile(
    r"(invalid|incorrect|wrong|missing|no|provide an?|valid) (x-)?api[ _-]?key"
    r"|api[ _-]?key (is |was )?(not (valid|found|set|active)|invalid|missing|required|expired)|api_key_invalid|authentication|unauthori[sz]ed",
    re.IGNORECASE,
)
_NO_SCHEMA = re.compile(
    r"response[_ ]format|json[_ ]schema|response_schema|output_config|output_format|structured[_ ]output"
    r"|response mime type|guided_json|grammar",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?i)(?<=[?&])((?:api[_-]?)?key|token|access_token)=[^&\s'\"<>]+")
_USER_IN_URL = re.compile(r"(?<=://)[^/\s@'\"<>]+@")


def from_status(
    model: str, status: int, words: str, *, headers: Mapping[str, str], variable: str, key: str | None
) -> ModelRefused | ModelUnavailable:
    """Return the error for an answer that is none; the key is in no message, whatever the provider says."""
    said = quoted(words, key)
    if key_is_refused(status, words):
        return key_refused(model, variable, key, status, said if status == 403 else "")
    if status == 402 or (status in (400, 429) and _NO_MONEY.search(words)):
        return ModelRefused(
            f"{model}: the account has no money or quota left{said}: see to it at the provider"
        )
    if status in _AGAIN or status >= 500:
        what = {429: "limits how much we ask", 529: "is overloaded", 503: "is overloaded"}.get(
            status, "fails"
        )
        wait = retry_after(headers)
        return ModelUnavailable(f"{model} {what} (HTTP {status}){said}: try again later", delay=wait)
    if status == 413 or (status in (400, 422) and _TOO_LONG.search(words)):
        return ContextTooLong(f"{model} cannot read so much at once{said}: shorten the conversation")
    if status == 404:
        return ModelRefused(
            f"{model} is not known to its provider{said}: check the model's name and the address"
        )
    if 300 <= status < 400:
        return ModelRefused(
            f"{model}: the address answers with a redirection (HTTP {status}): correct the address"
        )
    kind = QuestionRefused if status in (400, 422) else ModelRefused
    return kind(f"{model} refuses the question (HTTP {status}){said}")


def key_is_refused(status: int, words: str) -> bool:
    """Whether an answer means that the key is not taken; some providers call that a bad request."""
    return status in (401, 403) or (
        status == 400 and _NO_KEY.search(words) is not None and not _TOO_LONG.search(words)
    )


def holds_to_no_schema(status: int, words: str) -> bool:
    """Whether a provider's refusal means that it cannot hold this model to a schema."""
    return status in (400, 422) and _NO_SCHEMA.search(words) is not None and not _TOO_LONG.search(words)


def key_refused(
    model: str, variable: str, key: str | None, status: int = 401, said: str = ""
) -> ModelKeyRefused:
    """Return the error for a key that is missing, wrong or without the right."""
    variable = variable or "the provider's variable"
    if key is None:
        return ModelKeyRefused(f"{model} needs a key: set {variable} in the environment")
    why = "has no right to it" if status == 403 else "is not valid"
    return ModelKeyRefused(f"{model}: the key in {variable} {why}: set another one (HTTP {status}){said}")


def key_unsendable(model: str, variable: str) -> ModelKeyRefused:
    """Return the error for a key that no header of HTTP can carry."""
    return ModelKeyRefused(
        f"{model}: the key in {variable} has characters that no key has, such as a line break: set it anew"
    )


def unreachable(model: str, address: str | None, why: str) -> ModelUnavailable:
    """Return the error for a provider to which nothing was sent."""
    place = f" at {shown(address)}" if address else ""
    return ModelUnavailable(
        f"{model} cannot be reached{place} ({_masked(why)}): check the address and the network, or start the server"
    )


def silent(model: str, limit: timedelta, *, begun: bool = True) -> ModelUnavailable:
    """Return the error for a provider that was asked and says nothing (more)."""
    seconds = limit.total_seconds()
    return ModelUnavailable(
        f"{model} was silent for {seconds:g} s: try again, or raise llm.timeout", maybe_billed=int(begun)
    )


def cut_off(model: str) -> ModelUnavailable:
    """Return the error for an answer that ended in its middle."""
    return ModelUnavailable(f"{model} was cut off in the middle of its answer: try again", maybe_billed=1)


def unreadable(model: str, why: str) -> ModelUnavailable:
    """Return the error for an answer that is not in the provider's own form."""
    return ModelUnavailable(
        f"{model} answered what cannot be read ({why[:_LONG]}): try again, and check the address",
        maybe_billed=1,
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """Return what the provider asks to wait, at most a day; None where it asks for nothing readable."""
    lower = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = lower.get(name, "").strip()
        if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text, re.ASCII):
            return min(timedelta(seconds=float(text) * unit), _LONGEST)
    try:
        when = parsedate_to_datetime(lower["retry-after"])
    except (KeyError, ValueError):
        return None
    wait = (when if when.tzinfo else when.replace(tzinfo=UTC)) - (now or datetime.now(UTC))
    return max(timedelta(0), min(wait, _LONGEST))


def shown(address: str) -> str:
    """Return an address for a message: without password, key and query."""
    return redact_url(address.partition("?")[0])


def quoted(words: str, key: str | None) -> str:
    """Return a provider's own words for a message: one line, short, without the key; empty for none."""
    if key and len(key) >= _KEY:
        words = words.replace(key, "***")
    words = _masked(words)
    words = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    if not words:
        return ""
    return f": {words[:_LONG]}…" if len(words) > _LONG else f": {words}"


def _masked(words: str) -> str:
    """Return words without what looks like a key, or like a password in an address."""
    words = re.sub(r"(sk-|key-|Bearer )[\w*.-]{6,}", r"\1***", words)
    return _USER_IN_URL.sub("***@", _IN_URL.sub(r"\1=***", words))
