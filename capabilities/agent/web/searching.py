"""Search services: how each is asked, and what of its answer is shown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import JsonValue

from ....config.settings import WebSettings
from .fetching import FetchFailed, anywhere, fetch

KEYS: Mapping[str, str] = {"brave": "BRAVE_API_KEY", "tavily": "TAVILY_API_KEY"}
"""The variable that holds each service's key."""
_ADDRESSES = {
    "brave": "https://api.search.brave.com/res/v1/web/search",
    "tavily": "https://api.tavily.com/search",
}
_SNIPPET = 500
"""Characters of what is shown of a page."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One page that was found."""

    title: str
    url: str
    text: str


def lacks(settings: WebSettings, environ: Mapping[str, str]) -> str:
    """Return why there is no web search here, in words; empty when there is. Pure."""
    if settings.search == "none":
        return "web.search names no service"
    if settings.search == "searxng" and not settings.search_url:
        return "web.search is searxng, and web.search_url does not say where"
    key = KEYS.get(settings.search)
    if key is not None and not environ.get(key):
        return f"web.search is {settings.search}, and {key} is not set"
    return ""


async def search_web(
    query: str, count: int, settings: WebSettings, environ: Mapping[str, str]
) -> tuple[Hit, ...]:
    """Ask the service that is set; raises FetchFailed, without its key in any word."""
    address = settings.search_url or _ADDRESSES.get(settings.search, "")
    key = environ.get(KEYS.get(settings.search, ""), "")
    headers: dict[str, str] = {"Accept": "application/json"}
    body = None
    match settings.search:
        case "brave":
            headers["X-Subscription-Token"] = key
            address += "?" + urlencode({"q": query, "count": count})
        case "tavily":
            headers["Authorization"] = f"Bearer {key}"
            body = {"query": query, "max_results": count}
        case _:
            address = address.rstrip("/") + "/search?" + urlencode({"q": query, "format": "json"})
    # Whoever set the address may well mean a service of this network.
    fetched = await fetch(address, allow=anywhere, headers=headers, body=body)
    name = settings.search
    if fetched.moved:
        raise FetchFailed(f"{name} leads to {fetched.moved}: correct web.search_url")
    if fetched.status >= 400:
        hint = ": look at its key" if fetched.status in (401, 403) else ""
        raise FetchFailed(f"{name} answered {fetched.status}{hint}")
    try:
        answer = json.loads(fetched.body)
    except ValueError:
        raise FetchFailed(
            f"{name} answered what is no JSON" + (": allow format json there" if name == "searxng" else "")
        ) from None
    return tuple(_hits(answer.get("web") if name == "brave" and isinstance(answer, dict) else answer)[:count])


def _hits(answer: JsonValue) -> list[Hit]:
    results = answer.get("results") if isinstance(answer, dict) else None
    found = []
    for one in results if isinstance(results, list) else []:
        if isinstance(one, dict) and isinstance(one.get("url"), str):
            text = one.get("content") or one.get("description") or ""
            found.append(
                Hit(
                    title=" ".join(str(one.get("title") or "").split()),
                    url=str(one["url"]),
                    text=" ".join(str(text).split())[:_SNIPPET],
                )
            )
    return found
