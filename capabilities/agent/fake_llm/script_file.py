"""A script's YAML, read with the line of every mistake."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from ....config.document import Document, Way, read_document
from ....config.durations import parse_duration
from ....config.plain_yaml import YamlMistake, read_text
from ....config.spelling import did_you_mean
from ....config.yaml_words import typed_word
from ....errors import ConfigError
from .asked import Protocol
from .filled import PLAIN, references
from .script import Answer, Kind, Malformed, Refusal, Rule, Script, Tokens, Use, When

_DEFAULT = Path(__file__).with_name("default.yaml")
_TOP = ("models", "keys", "context", "rules")
_RULE = ("name", "when", "times", "answer", "turns")
_WHEN = (
    "model", "system", "user", "result", "tool", "offers", "tools", "turn", "schema", "stream", "protocol",
)  # fmt: skip
_ANSWER = (
    "text", "thinking", "json", "structured", "tools", "any_tool", "stop", "usage", "error", "slow", "cut",
    "malformed",
)  # fmt: skip
_ERROR = ("kind", "message", "status", "retry_after", "as_date", "after")
_USAGE = ("input", "output", "cache_read", "cache_write")
_STOPS = ("end", "tools", "length", "refused")


def default_script() -> Script:
    """Return the script that is played where none is named."""
    return read_script(_DEFAULT.read_text(encoding="utf-8"), _DEFAULT.name)


def load_script(path: Path) -> Script:
    """Return a file's script. Raises ConfigError."""
    return read_script(read_text(path, str(path)), str(path))


def read_script(text: str, named: str) -> Script:
    """Return the script that a text is; `named` is what messages call it. Raises ConfigError."""
    try:
        document = read_document(text, typed_word)
    except YamlMistake as mistake:
        raise ConfigError(f"{named}:{mistake.line or 1}: {mistake.said}") from None
    return _Reader(document, named).script()


class _Reader:
    def __init__(self, document: Document, named: str) -> None:
        self._document = document
        self._named = named

    def script(self) -> Script:
        top = self._mapping(self._document.data, (), _TOP, "a script")
        rules = self._list(top.get("rules"), ("rules",))
        if not rules:
            raise self._wrong((), "a script has rules: write `rules:` with at least one `answer:`")
        found = tuple(self._rule(rule, ("rules", index), index) for index, rule in enumerate(rules))
        names: set[str] = set()
        for index, rule in enumerate(found):
            if rule.name in names:
                raise self._wrong(("rules", index, "name"), f"two rules are called {rule.name!r}: rename one")
            names.add(rule.name)
        return Script(
            rules=found,
            models=self._texts(top.get("models"), ("models",)),
            keys=self._texts(top.get("keys"), ("keys",)),
            context=self._number(top, "context", (), least=1),
        )

    def _rule(self, given: Any, way: Way, index: int) -> Rule:
        rule = self._mapping(given, way, _RULE, "a rule")
        if ("answer" in rule) is ("turns" in rule):
            raise self._wrong(way, "a rule has either `answer:` or `turns:`, a list of answers")
        when = self._when(rule.get("when"), (*way, "when"))
        if "answer" in rule:
            answers: tuple[Answer, ...] = (self._answer(rule["answer"], (*way, "answer"), when),)
        else:
            turns = self._list(rule["turns"], (*way, "turns"))
            if not turns:
                raise self._wrong((*way, "turns"), "turns: wants at least one answer")
            answers = tuple(
                self._answer(one, (*way, "turns", number), when) for number, one in enumerate(turns)
            )
        return Rule(
            name=self._text(rule, "name", way) or f"rule {index + 1}",
            when=when,
            answers=answers,
            times=self._number(rule, "times", way, least=1),
            line=self._document.line(way) or 1,
        )

    def _when(self, given: Any, way: Way) -> When:
        if given is None:
            return When()
        when = self._mapping(given, way, _WHEN, "`when`")
        turn = when.get("turn")
        turns = turn if isinstance(turn, list) else [] if turn is None else [turn]
        if any(type(one) is not int or one < 1 for one in turns):
            raise self._wrong((*way, "turn"), "turn: is a number from 1 on, or a list of them")
        tool = when.get("tool")
        if tool is not None and not isinstance(tool, bool | str):
            raise self._wrong((*way, "tool"), "tool: is a tool's name, true (any) or false (none)")
        return When(
            model=self._pattern(when, "model", way),
            system=self._pattern(when, "system", way),
            user=self._pattern(when, "user", way),
            result=self._pattern(when, "result", way),
            answered=tool,
            offers=self._texts(when.get("offers"), (*way, "offers")),
            tools=self._flag(when, "tools", way),
            turn=tuple(turns),
            schema=self._flag(when, "schema", way),
            stream=self._flag(when, "stream", way),
            protocol=self._one_of(when, "protocol", way, get_args(Protocol)),
        )

    def _answer(self, given: Any, way: Way, when: When) -> Answer:
        if isinstance(given, str):
            given = {"text": given}
        answer = self._mapping(given, way, _ANSWER, "an answer")
        structured = answer.get("structured", False)
        if not isinstance(structured, bool | dict):
            raise self._wrong((*way, "structured"), "structured: is true, or values by their keys")
        said = [key for key in ("text", "json", "structured") if answer.get(key) not in (None, False)]
        error = answer.get("error")
        if error is not None and not (isinstance(error, dict) and "after" in error):
            said.append("error")
        if len(said) > 1:
            raise self._wrong((*way, said[1]), f"an answer has one of {said[0]} and {said[1]}")
        first, between = self._slow(answer.get("slow"), (*way, "slow"))
        found = Answer(
            text=self._text(answer, "text", way),
            thinking=self._text(answer, "thinking", way),
            json=answer.get("json"),
            has_json="json" in answer,
            structured=structured is not False,
            values=structured if isinstance(structured, dict) else {},
            tools=self._uses(answer.get("tools"), (*way, "tools")),
            any_tool=bool(self._flag(answer, "any_tool", way)),
            stop=self._one_of(answer, "stop", way, _STOPS),  # type: ignore[arg-type]
            tokens=self._tokens(answer.get("usage"), (*way, "usage")),
            error=self._error(answer.get("error"), (*way, "error")),
            first=first,
            between=between,
            cut=self._number(answer, "cut", way, least=0),
            malformed=self._one_of(answer, "malformed", way, get_args(Malformed)),  # type: ignore[arg-type]
        )
        self._check_references(answer, way, when)
        return found

    def _check_references(self, answer: dict[str, Any], way: Way, when: When) -> None:
        known = {*PLAIN, *when.groups}
        for key in ("text", "thinking", "json", "structured", "tools", "error"):
            for name in references(answer.get(key)):
                if name not in known:
                    raise self._wrong(
                        (*way, key),
                        f"unknown reference ${{{name}}}{did_you_mean(name, known)} "
                        f"(there are {', '.join(sorted(known))}); $${{ is a plain ${{",
                    )

    def _uses(self, given: Any, way: Way) -> tuple[Use, ...]:
        uses = []
        for index, one in enumerate(self._list(given, way)):
            at = (*way, index)
            if not isinstance(one, dict) or len(one) != 1:
                raise self._wrong(
                    at, "a use of a tool is written as its name and arguments: `- bash: {command: ls}`"
                )
            ((name, arguments),) = one.items()
            if arguments is not None and not isinstance(arguments, dict | str):
                raise self._wrong(at, "arguments are KEY: VALUE lines, or a text that goes out as it is")
            uses.append(Use(name=name, arguments={} if arguments is None else arguments))
        return tuple(uses)

    def _tokens(self, given: Any, way: Way) -> Tokens:
        if given is None:
            return Tokens()
        usage = self._mapping(given, way, _USAGE, "`usage`")
        return Tokens(**{key: self._number(usage, key, way, least=0) for key in _USAGE})

    def _error(self, given: Any, way: Way) -> Refusal | None:
        if given is None:
            return None
        error = self._mapping({"kind": given} if isinstance(given, str) else given, way, _ERROR, "`error`")
        kind: Kind | None = self._one_of(error, "kind", way, get_args(Kind))  # type: ignore[assignment]
        status = self._number(error, "status", way, least=400)
        if status is not None and status > 599:
            raise self._wrong((*way, "status"), "status: is an error's, from 400 to 599")
        if kind is None:
            raise self._wrong(way, f"error: wants a kind: {', '.join(get_args(Kind))}")
        retry_after = self._duration(error, "retry_after", way)
        as_date = bool(self._flag(error, "as_date", way))
        if as_date and retry_after is None:
            raise self._wrong((*way, "as_date"), "as_date: says how retry_after goes out: add retry_after")
        return Refusal(
            kind=kind,
            message=self._text(error, "message", way),
            status=status,
            retry_after=retry_after,
            as_date=as_date,
            after=self._number(error, "after", way, least=1),
        )

    def _slow(self, given: Any, way: Way) -> tuple[timedelta, timedelta]:
        if given is None:
            return timedelta(), timedelta()
        slow = {"first": given} if not isinstance(given, dict) else given
        self._mapping(slow, way, ("first", "between"), "`slow`")
        none = timedelta()
        return self._duration(slow, "first", way) or none, self._duration(slow, "between", way) or none

    def _mapping(self, given: Any, way: Way, known: Iterable[str], what: str) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise self._wrong(way, f"{what} is KEY: VALUE lines ({', '.join(known)})")
        for key in given:
            if key not in known:
                raise self._wrong(
                    (*way, key),
                    f"unknown key {key[:100]!r} in {what}{did_you_mean(key, known)} (there are {', '.join(known)})",
                )
        return given

    def _list(self, given: Any, way: Way) -> list[Any]:
        if given is None:
            return []
        if not isinstance(given, list):
            raise self._wrong(way, f"{way[-1]}: is a list: put `- ` before each entry")
        return given

    def _texts(self, given: Any, way: Way) -> tuple[str, ...]:
        entries = [given] if isinstance(given, str) else self._list(given, way)
        for index, entry in enumerate(entries):
            if not isinstance(entry, str) or not entry:
                raise self._wrong((*way, index), f"{way[-1]}: holds texts: put {entry!r} in quotes")
        return tuple(entries)

    def _text(self, given: Mapping[str, Any], key: str, way: Way) -> str:
        value = given.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong((*way, key), f"{key}: is a text: put it in quotes")
        return value or ""

    def _flag(self, given: Mapping[str, Any], key: str, way: Way) -> bool | None:
        value = given.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong((*way, key), f"{key}: is true or false")
        return value

    def _number(self, given: Mapping[str, Any], key: str, way: Way, *, least: int) -> int | None:
        value = given.get(key)
        if value is not None and (type(value) is not int or value < least):
            raise self._wrong((*way, key), f"{key}: is a whole number, {least} or more")
        return value

    def _duration(self, given: Mapping[str, Any], key: str, way: Way) -> timedelta | None:
        value = given.get(key)
        if value is None:
            return None
        try:
            return parse_duration(str(value))
        except ConfigError as error:
            raise self._wrong((*way, key), f"{key}: {error}") from None

    def _pattern(self, given: Mapping[str, Any], key: str, way: Way) -> re.Pattern[str] | None:
        text = self._text(given, key, way)
        if not text:
            return None
        try:
            return re.compile(text, re.DOTALL)
        except (re.error, RecursionError, OverflowError) as error:
            raise self._wrong(
                (*way, key), f"{key}: {text[:100]!r} is no regular expression: {error}"
            ) from None

    def _one_of(self, given: Mapping[str, Any], key: str, way: Way, known: Iterable[str]) -> str | None:
        value = given.get(key)
        if value is not None and value not in known:
            raise self._wrong(
                (*way, key),
                f"{key}: {str(value)[:100]!r} is none{did_you_mean(str(value), known)} (there are {', '.join(known)})",
            )
        return value

    def _wrong(self, way: Way, said: str) -> ConfigError:
        return ConfigError(f"{self._named}:{self._document.line(way) or 1}: {said}")
