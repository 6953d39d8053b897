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
    addresses: tuple[str, ...] = ()
    """Variables that say where its provider is; it is given those that are set."""
    read: Reader
    message_option: str = ""
    """With what it takes a file with the task; empty: it reads standard input."""
    leaves: str = ""
    """Pattern of files of its own that it leaves in the working directory."""
    variables: tuple[tuple[str, str], ...] = ()
    """What its environment holds besides its key."""
    usd_option: str = ""
    """With what it takes a limit in USD that it keeps to; empty: it keeps to none."""


CLAUDE = CodingCli(
    name="claude",
    arguments=(
        "-p",
        "--output-format",
        "json",
        "--permission-mode",
        "acceptEdits",
        # What a repository says in its settings (hooks, permissions, MCP servers) would run, or be obeyed.
        "--setting-sources",
        "user",
        "--strict-mcp-config",
    ),
    keys=("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"),
    addresses=("ANTHROPIC_BASE_URL",),
    read=read_claude,
    variables=(("DISABLE_AUTOUPDATER", "1"),),
    usd_option="--max-budget-usd",
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
    addresses=("GOOGLE_GEMINI_BASE_URL",),
    read=read_gemini,
    # Without a terminal it works in no folder that nobody told it to trust, and ends at once.
    variables=(("GEMINI_CLI_TRUST_WORKSPACE", "true"),),
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
        "--no-analytics",
        # Each of these would run what a repository's settings name, or say yes to fetching something.
        "--no-auto-lint",
        "--no-auto-test",
        "--no-notifications",
        "--no-detect-urls",
        "--no-show-model-warnings",
    ),
    # In the order in which it looks for its model itself.
    addresses=("ANTHROPIC_BASE_URL", "OPENAI_API_BASE", "OPENAI_BASE_URL"),
    keys=("OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "DEEPSEEK_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"),
    read=read_aider,
    message_option="--message-file",
    leaves=".aider*",
)
KNOWN = (AIDER, CLAUDE, CODEX, GEMINI)
