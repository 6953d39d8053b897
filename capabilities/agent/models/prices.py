"""Prices and context windows of models: a table that comes with picoclaw, and the user's own file before it.

prices.json is made by `.ci/prices.py`. A price that nobody knows is None, never zero.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ....config.document import read_document
from ....config.plain_yaml import YamlMistake, read_text
from ....config.spelling import did_you_mean
from ....config.values import shown
from ....errors import ConfigError
from .conversation import Usage
from .named import ModelNameRefused, read_model

_PER = 1_000_000
_DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")
_RATES = ("input", "output", "cache_read", "cache_write")
_FIELDS = (*_RATES, "window")
_HIGHEST = 1_000_000.0
_WIDEST = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    """Of these two, None is as `input`: a provider may charge less, never more unsaid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What is known of one model."""

    rates: Rates | None = None
    above: int | None = None
    """Tokens read above which the whole turn is charged by `higher`."""
    higher: Rates | None = None
    window: int | None = None
    """Tokens that it reads at most."""
    answer: int | None = None
    """Tokens that it writes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """All that is known of models, by `provider/name`."""

    own: Mapping[str, Price] = field(default_factory=dict)
    """The user's; a name may be a shell pattern."""
    table: Mapping[str, Price] = field(default_factory=dict)

    def find(self, model: str) -> Price | None:
        """Return what is known of a model; a date at the name's end may be missing in the table."""
        names = tuple(
            dict.fromkeys(alias for name in _aliases(model) for alias in (name, _DATE.sub("", name)))
        )
        exact = next((self.own[name] for name in names if name in self.own), None)
        if exact is None:
            exact = next(
                (p for pattern, p in self.own.items() if any(fnmatchcase(n, pattern) for n in names)), None
            )
        known = next((self.table[name] for name in names if name in self.table), None)
        if exact is None or known is None:
            return exact or known
        window = exact.window if exact.window is not None else known.window
        if exact.rates is None:  # the user said only the window
            return replace(known, window=window)
        return replace(exact, window=window, answer=known.answer)

    def usd(self, model: str, usage: Usage) -> float | None:
        """Return what a turn cost; None where no price is known."""
        price = self.find(model)
        if price is None or price.rates is None:
            return None
        long = price.above is not None and usage.input > price.above
        rates = price.higher if long and price.higher is not None else price.rates
        fresh = max(0, usage.input - usage.cache_read - usage.cache_write)
        read = rates.input if rates.cache_read is None else rates.cache_read
        write = rates.input if rates.cache_write is None else rates.cache_write
        tokens = (
            (fresh, rates.input),
            (usage.cache_read, read),
            (usage.cache_write, write),
            (usage.output, rates.output),
        )
        return sum(count * rate for count, rate in tokens) / _PER

    def worst(self, model: str, input: int, output: int) -> float | None:
        """Return the most that a turn of so many tokens can cost; None where no price is known."""
        plain = self.usd(model, Usage(input=input, output=output))
        written = self.usd(model, Usage(input=input, cache_write=input, output=output))
        return None if plain is None or written is None else max(plain, written)

    def window(self, model: str) -> int | None:
        """Return how many tokens a model reads; None where nobody knows."""
        price = self.find(model)
        return price.window if price is not None else None

    def answer(self, model: str) -> int | None:
        """Return how many tokens a model writes at most; None where nobody knows."""
        price = self.find(model)
        return price.answer if price is not None else None


def known_prices(file: Path | None = None) -> Prices:
    """Return the table, with the user's file before it.

    The file is YAML: a mapping of models, or shell patterns of them, to `input`, `output`, `cache_read`,
    `cache_write` (USD per million tokens) and `window` (tokens). Raises ConfigError with its line.
    """
    return Prices(own=_own(file) if file is not None else {}, table=_table())


@cache  # of a file that comes with the package and never changes
def _table() -> Mapping[str, Price]:
    data = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: _from_table(entry) for name, entry in data["models"].items()})


def _from_table(entry: dict[str, Any]) -> Price:
    rates = {name: entry[name] for name in _RATES if name in entry}
    return Price(
        rates=Rates(**rates) if rates else None,
        above=entry.get("above"),
        higher=Rates(**{**rates, **entry["higher"]}) if "higher" in entry else None,
        window=entry.get("window"),
        answer=entry.get("answer"),
    )


def _aliases(model: str) -> tuple[str, ...]:
    """Return the names under which a model may stand, nearest first."""
    if model.startswith("litellm/"):
        return (model, model.removeprefix("litellm/"))
    if model.startswith("ollama_chat/"):
        return (model, f"ollama/{model.removeprefix('ollama_chat/')}")
    try:
        return tuple(dict.fromkeys((str(read_model(model)), model)))
    except ModelNameRefused:
        return (model,)


def _own(file: Path) -> dict[str, Price]:
    named = f"llm.prices: file {file}"
    try:
        document = read_document(read_text(file, named))
    except YamlMistake as mistake:
        place = f"{named}:{mistake.line}" if mistake.line is not None else named
        raise ConfigError(f"{place}: {mistake.said}") from None
    data = document.data
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{named} is not a mapping: write MODEL: {{input: USD, output: USD}}")
    prices: dict[str, Price] = {}
    for model, entry in data.items():
        place = f"{named}:{document.line((model,))}: {shown(model)}"
        if not isinstance(entry, dict) or not entry:
            raise ConfigError(
                f"{place} has no prices: write input and output in USD per million tokens, or window"
            )
        for name in entry:
            if name not in _FIELDS:
                hint = did_you_mean(name, _FIELDS) or f": known are {', '.join(_FIELDS)}"
                raise ConfigError(f"{place}: unknown key {shown(name)}{hint}")
        rates = {name: _number(entry[name], f"{place}, {name}") for name in _RATES if name in entry}
        if rates and not {"input", "output"} <= rates.keys():
            raise ConfigError(f"{place} has only a part of its price: give both input and output")
        window = _number(entry["window"], f"{place}, window", _WIDEST) if "window" in entry else None
        if window is not None and (window < 1 or window != int(window)):
            raise ConfigError(f"{place}, window: give a whole number of tokens from 1")
        prices[model] = Price(
            rates=Rates(**rates) if rates else None, window=int(window) if window is not None else None
        )
    return prices


def _number(value: object, place: str, highest: float = _HIGHEST) -> float:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,12}(\.\d{1,9})?", value.strip(), re.ASCII):
        raise ConfigError(f"{place}: {shown(str(value))} is no number: give one such as 3 or 0.25")
    number = float(value)
    if number > highest:
        raise ConfigError(f"{place}: {number:g} is too large: give {highest:g} at most")
    return number
