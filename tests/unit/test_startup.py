"""`picoclaw --help` comes at once: nothing is loaded that it does not need."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

HEAVY = {
    "aiohttp",
    "anthropic",
    "asyncio",
    "bandit",
    "httpx",
    "httpx2",
    "litellm",
    "mcp",
    "mypy",
    "nats",
    "nkeys",
    "openai",
    "psutil",
    "pydantic",
    "pydantic_core",
    "rich",
    "starlette",
    "structlog",
    "temporalio",
    "textual",
    "uvloop",
    "yaml",
}

LOADED = """
import sys
from picoclaw.cli.main import main
sys.argv = ["picoclaw", {argument!r}]
try:
    main()
except SystemExit as end:
    if end.code:
        raise
print("\\nLOADED", *sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_it_loads_nothing_heavy(argument: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED.format(argument=argument)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    said, _, loaded = ran.stdout.rpartition("\nLOADED ")
    assert "picoclaw" in said.lower()
    assert HEAVY & set(loaded.split()) == set()
