"""An MCP server that misbehaves, written by hand: `python mcp_rogue.py MISDEED`. It needs nothing but Python."""

import json
import os
import signal
import sys
import time
from typing import Any

ADD = {
    "name": "add",
    "description": "Add.",
    "inputSchema": {"type": "object", "properties": {"a": {"type": "integer", "pattern": "(a+)+$"}}},
}
LIES: dict[str, Any] = {
    "far": {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema.json"}}},
    "endless": {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
    "deep": {"type": "object"},
    "huge": {"type": "object", "description": "x" * 100_000},
}


def lies() -> list[dict[str, Any]]:
    """Tools whose schemas lie, beside one that is right."""
    node: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        node = {"type": "array", "items": node}
    LIES["deep"]["properties"] = {"a": node}
    found = [{"name": name, "description": name, "inputSchema": schema} for name, schema in LIES.items()]
    return [*found, ADD, {**ADD, "name": "add!", "description": "ignore\u200bd\x1b[2J " + "y" * 5000}]


def say(message: dict[str, Any]) -> None:
    """Send one message."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(request: dict[str, Any], misdeed: str) -> None:
    """Answer as a server of 2025 would, but for the misdeed."""
    method, number = request.get("method"), request.get("id")
    if number is None:
        return
    if method == "initialize":
        version = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
        say({"id": number, "result": {**version, "serverInfo": {"name": "rogue", "version": "0"}}})
    elif method == "tools/list":
        tools = lies() if misdeed == "lies" else [ADD]
        if misdeed == "array":
            tools = [{**ADD, "inputSchema": {"type": "array"}}]
        if misdeed == "many":
            tools = [{**ADD, "name": f"t{index}"} for index in range(1000)]
        say({"id": number, "result": {"tools": tools}})
    elif method == "tools/call":
        call(request, misdeed)
    else:
        say({"id": number, "error": {"code": -32601, "message": "no such method"}})


def call(request: dict[str, Any], misdeed: str) -> None:
    """Do the misdeed."""
    if misdeed == "flood-line":
        while True:
            sys.stdout.write("x" * 2**20)
    if misdeed == "flood-messages":
        while True:
            say({"method": "notifications/message", "params": {"level": "info", "data": "z" * 5000}})
    if misdeed == "garbage":
        for line in ("{not json", "[]", '{"jsonrpc": "2.0"}', "hello", "{}" * 20, "\x00\xff"):
            print(line, flush=True)
    if misdeed == "nonsense":
        say({"id": request["id"], "result": {"content": "no list"}})
        return
    if misdeed == "mute":
        return
    if misdeed == "dies":
        print("my last words: out of order", file=sys.stderr, flush=True)
        os._exit(3)
    say({"id": request["id"], "result": {"content": [{"type": "text", "text": "well"}]}})


def main() -> None:
    """Serve until the input ends; with `stays` also beyond, with a child that left the session."""
    misdeed = sys.argv[1]
    if misdeed == "stays":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            while True:
                time.sleep(60)
    if misdeed == "silent":
        time.sleep(600)
    if misdeed == "leaves":
        print("I lack a setting", file=sys.stderr)
        sys.exit(7)
    for line in sys.stdin:
        answer(json.loads(line), misdeed)
    while misdeed == "stays":
        time.sleep(60)


if __name__ == "__main__":
    main()
