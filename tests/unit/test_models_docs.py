"""docs/models.md says of each provider what the code does."""

import re
from pathlib import Path

import pytest

from picoclaw.capabilities.agent.models.prices import known_prices
from picoclaw.capabilities.agent.models.providers import PROVIDERS
from picoclaw.tests.support.docs import DOCS, blocks

pytestmark = pytest.mark.unit

TEXT = (DOCS / "models.md").read_text(encoding="utf-8")


def test_the_table_of_providers_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\|$", TEXT, re.MULTILINE)
    told = {name: (keys, addresses.strip()) for name, keys, addresses in rows}
    assert told == {
        name: (_either(provider.keys) or "none", _either(provider.addresses))
        for name, provider in PROVIDERS.items()
        if provider.adapter != "cassette"
    }


def test_its_file_of_prices_is_one(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    (text,) = [block.text for block in blocks(TEXT) if "cache_write" in block.text]
    file.write_text(text, encoding="utf-8")
    assert known_prices(file).window("ollama/qwen3") == 32768


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)
