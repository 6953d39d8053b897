"""What an MCP tool answers, as text for the model and artifacts for the rest."""

import base64
import binascii
import json
import mimetypes
import re
from collections.abc import Awaitable, Callable

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from ....swarm.records import ArtifactRef
from ...definitions.sizes import format_size
from ..tools.tool import ToolResult

Keep = Callable[[bytes, str, str], Awaitable[ArtifactRef]]
"""Stores a body under a media type and a file name."""

MOST_ARTIFACTS = 20
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}", re.IGNORECASE)


async def read_result(result: CallToolResult, tool: str, limit: int, keep: Keep) -> ToolResult:
    """Return an answer as a tool's result; what is no text is stored, and what is over the limit cut."""
    parts: list[str] = []
    kept: list[ArtifactRef] = []
    left = limit

    async def store(data: str, media_type: str | None, what: str) -> str:
        nonlocal left
        try:
            body = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return f"[{what}: it is not base64 as the protocol has it, and was dropped]"
        if len(body) > left or len(kept) >= MOST_ARTIFACTS:
            return f"[{what} of {format_size(len(body))}: over the limit of this server, and dropped]"
        left -= len(body)
        kind = media_type if media_type and _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
        name = f"{tool}-{len(kept) + 1}{mimetypes.guess_extension(kind) or '.bin'}"
        kept.append(await keep(body, kind, name))
        return f"[{what} {kind}, {format_size(len(body))}: stored as artifact {name}]"

    for block in result.content:
        match block:
            case TextContent():
                parts.append(block.text)
            case ImageContent():
                parts.append(await store(block.data, block.mime_type, "image"))
            case AudioContent():
                parts.append(await store(block.data, block.mime_type, "sound"))
            case EmbeddedResource(resource=BlobResourceContents() as blob):
                parts.append(await store(blob.blob, blob.mime_type, f"resource {str(blob.uri)[:300]}"))
            case EmbeddedResource(resource=TextResourceContents() as page):
                parts.append(f"[resource {str(page.uri)[:300]}]\n{page.text}")
            case ResourceLink():
                about = f": {block.description[:300]}" if block.description else ""
                parts.append(f"[link to {block.name[:100]}: {str(block.uri)[:500]}{about}]")
    if result.structured_content is not None and not any(
        isinstance(one, TextContent) for one in result.content
    ):
        # Where there is text, it is the same in words, as the protocol asks.
        parts.append(json.dumps(result.structured_content, ensure_ascii=False, default=str))
    text = "\n".join(part for part in parts if part)
    if len(text) > left:
        text = text[: max(0, left)] + "\n[cut here: the answer is over the limit of this server]"
    if not text:
        text = "the tool failed without a word" if result.is_error else "(no output)"
    return ToolResult(text=text, error=result.is_error, artifacts=tuple(kept))
