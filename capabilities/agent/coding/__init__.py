"""Coding CLIs of others as agents: `claude`, `codex`, `gemini` and `aider`, and what each prints."""
