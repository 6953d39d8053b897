"""The first line of a NATS server, looked at before nats-py takes every field of it on trust. Pure."""

import json

_FIELDS = {"version": str, "max_payload": int, "nonce": str, "client_id": int, "client_ip": str}


def is_nats_greeting(line: bytes) -> bool:
    """Return whether a line is `INFO {…}`, with fields of the kinds that a client relies on."""
    begin, _, rest = line.strip().partition(b" ")
    if begin != b"INFO":
        return False
    try:
        info = json.loads(rest)
    except (ValueError, RecursionError):
        return False
    if not isinstance(info, dict):
        return False
    urls = info.get("connect_urls") or []
    return (
        all(isinstance(info[name], kind) for name, kind in _FIELDS.items() if name in info)
        and isinstance(urls, list)
        and all(isinstance(url, str) for url in urls)
    )
