"""Makes capabilities/agent/models/prices.json anew: prices and context windows of the main providers' chat models.

Usage: .venv/bin/python .ci/prices.py [FILE]     FILE: a model_prices_and_context_window.json of litellm's;
without it, the one of the litellm that is installed.
"""

import json
import re
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "capabilities" / "agent" / "models" / "prices.json"
PROVIDERS = {
    "anthropic": "anthropic", "openai": "openai", "gemini": "gemini", "mistral": "mistral", "groq": "groq",
    "deepseek": "deepseek", "xai": "xai", "openrouter": "openrouter", "cerebras": "cerebras",
    "moonshot": "moonshot", "cohere": "cohere", "cohere_chat": "cohere", "perplexity": "perplexity",
    "together_ai": "together_ai",
}  # fmt: skip
"""Ours by litellm's."""
FIELDS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
STEP = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
"""Thousands of tokens above which some models cost more."""
BY_QUESTION = ("perplexity",)
"""Providers that charge for each question besides: what its tokens cost is not its price."""
NOTICE = (
    "Made from model_prices_and_context_window.json of litellm, Copyright (c) 2023 Berri AI. Permission is hereby "
    "granted, free of charge, to any person obtaining a copy of this software and associated documentation files "
    '(the "Software"), to deal in the Software without restriction, including without limitation the rights to '
    "use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit "
    "persons to whom the Software is furnished to do so, subject to the following conditions: The above copyright "
    "notice and this permission notice shall be included in all copies or substantial portions of the Software. "
    'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED '
    "TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL "
    "THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF "
    "CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER "
    "DEALINGS IN THE SOFTWARE."
)


def million(value: Any) -> float | None:
    """Return USD per million tokens; None where there is no such price."""
    return round(float(value) * 1_000_000, 6) if isinstance(value, int | float) and value >= 0 else None


def row(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what we keep of one model."""
    kept: dict[str, Any] = {
        name: price for name, field in FIELDS.items() if (price := million(entry.get(field))) is not None
    }
    free = "input" in kept and kept["input"] == kept.get("output") == 0
    # A zero there is more often one that nobody filled in than a gift.
    if free or "input" not in kept or "output" not in kept or entry.get("litellm_provider") in BY_QUESTION:
        kept = {}
    steps = sorted(int(found[1]) for field in entry if (found := STEP.fullmatch(field)))
    if len(steps) > 1:
        sys.exit(f"a model has more than one step, which the table cannot say: {entry}")
    for step in steps if kept else ():
        kept["above"] = step * 1000
        kept["higher"] = {
            name: price
            for name, field in FIELDS.items()
            if (price := million(entry.get(f"{field}_above_{step}k_tokens"))) is not None
        }
    for name, field in (("window", "max_input_tokens"), ("answer", "max_output_tokens")):
        if isinstance(count := entry.get(field), int) and count > 0:
            kept[name] = count
    return kept


def main() -> None:
    """Write the table."""
    if len(sys.argv) > 1:
        source, words = Path(sys.argv[1]), "litellm's model_prices_and_context_window.json"
    else:
        spec = find_spec("litellm")
        if spec is None or spec.origin is None:
            sys.exit("litellm is not installed: pip install 'picoclaw-swarm[litellm]', or give its file")
        source = Path(spec.origin).with_name("model_prices_and_context_window_backup.json")
        words = f"litellm {version('litellm')}"
    table = json.loads(source.read_text(encoding="utf-8"))
    models: dict[str, Any] = {}
    for name, entry in table.items():
        provider = PROVIDERS.get(entry.get("litellm_provider", ""))
        if provider is None or entry.get("mode") not in ("chat", "responses"):
            continue
        plain = name.removeprefix(f"{provider}/")
        if plain.startswith("ft:") or (kept := row(entry)) == {}:
            continue
        models[f"{provider}/{plain}"] = kept
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(models[name])}" for name in sorted(models))
    TARGET.write_text(
        f'{{\n  "source": {json.dumps(words)},\n  "unit": "USD per million tokens",\n'
        f'  "notice": {json.dumps(NOTICE)},\n  "models": {{\n{lines}\n  }}\n}}\n',
        encoding="utf-8",
    )
    print(f"{len(models)} models, {TARGET.stat().st_size:,} bytes")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
