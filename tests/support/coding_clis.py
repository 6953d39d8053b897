"""Stand-ins for coding CLIs: what each prints, after its documentation, and small programs that print it."""

import shlex
from pathlib import Path

CLAUDE = """{"type": "result", "subtype": "success", "is_error": false, "duration_ms": 1998, "num_turns": 1, \
"result": "Hello CLI Test", "stop_reason": "end_turn", "session_id": "0e639165-79b1-4bd4-bb0f-4cb4c15115d4", \
"total_cost_usd": 0.0079825, "usage": {"input_tokens": 3, "cache_read_input_tokens": 15635, "output_tokens": 6}}
"""
CLAUDE_SPENT = """{"type": "result", "subtype": "error_max_budget_usd", "is_error": true, "num_turns": 4, \
"session_id": "0e639165-79b1-4bd4-bb0f-4cb4c15115d4", "total_cost_usd": 0.2519, \
"usage": {"input_tokens": 900, "output_tokens": 60}, "errors": ["Reached maximum budget ($0.25)"]}
"""
CODEX = """{"type":"thread.started","thread_id":"0199a213-81c0-7800-8aa1-bbab2a035a53"}
{"type":"turn.started"}
{"type":"item.completed","item":{"id":"item_0","type":"reasoning","text":"**Searching for README files**"}}
{"type":"item.started","item":{"id":"item_1","type":"command_execution","command":"ls","status":"in_progress"}}
{"type":"item.completed","item":{"id":"item_1","type":"command_execution","command":"ls","exit_code":0}}
{"type":"item.completed","item":{"id":"item_2","type":"agent_message","text":"Let me look."}}
{"type":"item.completed","item":{"id":"item_3","type":"agent_message",\
"text":"Repo contains docs, sdk, and examples directories."}}
{"type":"turn.completed","usage":{"input_tokens":24763,"cached_input_tokens":24448,"output_tokens":122}}
"""
GEMINI = """{
  "session_id": "b1c9a0f2-7d2f-4a55-9a43-0d6f2c1f5a11",
  "response": "The capital of France is Paris.",
  "stats": {
    "models": {
      "gemini-2.5-pro": {
        "api": {"totalRequests": 2, "totalErrors": 0, "totalLatencyMs": 5053},
        "tokens": {"prompt": 24939, "candidates": 20, "total": 25113, "cached": 21263, "thoughts": 154}
      },
      "gemini-2.5-flash": {
        "api": {"totalRequests": 1, "totalErrors": 0, "totalLatencyMs": 1879},
        "tokens": {"prompt": 8965, "candidates": 10, "total": 9033, "cached": 0, "thoughts": 30}
      }
    },
    "tools": {"totalCalls": 1}
  }
}
"""
GEMINI_REFUSED = """Loaded cached credentials.
{
  "session_id": "b1c9a0f2-7d2f-4a55-9a43-0d6f2c1f5a11",
  "error": {"type": "FatalAuthenticationError", "message": "API key not valid", "code": 41}
}
"""
"""On standard error, where it tells of failures."""
AIDER = """Aider v0.86.1
Main model: claude-sonnet-4-20250514 with diff edit format
Git repo: .git with 2 files
Repo-map: using 4096 tokens, auto refresh

I will greet by name.

Tokens: 2.3k sent, 45 received. Cost: $0.0076 message, $0.0076 session.
Applied edit to greeting.py

Done.
Tokens: 3,000 sent, 1.0k cache hit, 112 received. Cost: $0.01 message, $0.02 session.
"""


def put_program(folder: Path, name: str, prints: str, *, before: str = ":", code: int = 0) -> Path:
    """Make a program of this name that does `before` in a shell, prints, and ends with the exit code."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{before}\nprintf '%s' {shlex.quote(prints)}\nexit {code}\n")
    program.chmod(0o755)
    return program
