"""JSON Schemas of strangers, checked in bounded work: a few lines can unfold to billions. Pure.

Regular expressions are tried as they stand, and one can take for ever: where a schema has any, whoever
checks by it does so in a process that can be ended (`has_patterns`).
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

MOST_STEPS = 50_000
"""Keywords of a schema that are looked at for one check: a second or two."""
FEW = 200
"""Items that are compared each with each; more are compared by their text."""

_Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]


class TooMuchWork(Exception):
    """Raised when a schema asks for more looks than `MOST_STEPS`."""


def bounded(schema: dict[str, Any]) -> Validator:
    """Return a validator for one check, which raises TooMuchWork; nothing is fetched for it."""
    usual = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    left = MOST_STEPS

    def counted(keyword: _Keyword) -> _Keyword:
        def look(validator: Any, value: Any, instance: Any, node: Any) -> Iterator[ValidationError]:
            nonlocal left
            left -= 1
            if left < 0:
                raise TooMuchWork
            yield from keyword(validator, value, instance, node) or ()

        return look

    keywords = {name: counted(keyword) for name, keyword in _keywords(usual).items()}
    found: Validator = extend(usual, keywords)(schema, registry=Registry())  # type: ignore[no-untyped-call]
    return found


@cache
def _keywords(usual: Any) -> dict[str, _Keyword]:
    keywords = dict(usual.VALIDATORS)
    all_different = keywords.get("uniqueItems")
    if all_different is None:
        return keywords

    def unique(validator: Any, value: Any, instance: Any, node: Any) -> Iterator[ValidationError]:
        if not isinstance(instance, list) or len(instance) <= FEW:
            yield from all_different(validator, value, instance, node)
        elif value and len({json.dumps(item, sort_keys=True) for item in instance}) < len(instance):
            yield ValidationError("it has items that are the same")

    return keywords | {"uniqueItems": unique}


def has_patterns(schema: Any) -> bool:
    """Return whether something in a schema may be a regular expression."""
    waiting = [schema]
    for node in waiting:
        if isinstance(node, dict):
            if not node.keys().isdisjoint(("pattern", "patternProperties")):
                return True
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return False
