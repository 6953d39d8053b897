"""The coding CLIs that picoclaw knows: how each is run without a person, and which keys it may have."""

from dataclasses import dataclass

from .account import Reader
from .aider import read_aider
from .claude import read_claude
from .codex import read_codex
from .gemini import read_gemini


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingCli:
    """One program."""

    name: str
    """Of the program, and of the agent."""
    arguments: tuple[str, ...]
    """It may write files where it runs; nothing here takes its own fences down."""
    keys: tuple[str, ...]
    """Variables with a key; it is given the first that is set, and no other."""
    read: Reader
    message_option: str = ""
    """With what it takes a file with the task; empty: it reads standard input."""
    leaves: str = ""
    """Pattern of files of its own that it leaves in the working directory."""


CLAUDE = CodingCli(
    name="claude",
    arguments=("-p", "--output-format", "json", "--permission-mode", "acceptEdits"),
    keys=("ANTHROPIC_API_KEY",),
    read=read_claude,
)
CODEX = CodingCli(
    name="codex",
    arguments=("exec", "--json", "--skip-git-repo-check", "--sandbox", "workspace-write", "-"),
    keys=("CODEX_API_KEY",),
    read=read_codex,
)
GEMINI = CodingCli(
    name="gemini",
    arguments=("--output-format", "json", "--approval-mode", "auto_edit"),
    keys=("GEMINI_API_KEY",),
    read=read_gemini,
)
AIDER = CodingCli(
    name="aider",
    arguments=(
        "--yes-always",
        "--no-auto-commits",
        "--no-dirty-commits",
        "--no-gitignore",
        "--no-suggest-shell-commands",
        "--no-check-update",
        "--no-pretty",
        "--no-stream",
    ),
    # In the order in which it looks for its model itself.
    keys=("OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"),
    read=read_aider,
    message_option="--message-file",
    leaves=".aider*",
)
KNOWN = (AIDER, CLAUDE, CODEX, GEMINI)
