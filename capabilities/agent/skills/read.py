"""Reading SKILL.md: front matter between two lines of `---`, then the instructions."""

import re
from pathlib import Path
from typing import Any

from ....config.document import Document, read_document
from ....config.plain_yaml import YamlMistake, read_text
from ....config.spelling import did_you_mean
from ....errors import ConfigError
from .needs import Need, parse_need
from .skill import FILE, Skill, Source

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_NAME = 64
LONGEST_DESCRIPTION = 1024
"""Both are the convention's: https://agentskills.io/specification."""
LONGEST_BODY = 128 * 2**10

_FENCE = "---"


def read_skill(folder: Path, source: Source = "user") -> Skill:
    """Read the skill of a folder. Raises ConfigError, as `FILE:LINE: what is wrong`."""
    file = folder / FILE
    text = read_text(file, str(file))
    front, body, first = _split(text, file)
    document = _document(front, file)
    data = document.data if document.data is not None else {}
    if not isinstance(data, dict):
        raise ConfigError(f"{file}:2: the front matter is no mapping: write name: and description: in it")

    def refuse(key: str, why: str) -> ConfigError:
        return ConfigError(f"{file}:{(document.line((key,)) or 1) + 1}: {why}")

    name = _text(data, "name", refuse)
    if len(name) > LONGEST_NAME or not NAME.fullmatch(name):
        raise refuse("name", f"{name[:80]!r} cannot name a skill: use 1 to 64 of a-z, 0-9 and single '-'")
    description = " ".join(_text(data, "description", refuse).split())
    if len(description) > LONGEST_DESCRIPTION:
        raise refuse("description", f"the description has over {LONGEST_DESCRIPTION} characters: shorten it")
    if not body.strip():
        raise ConfigError(f"{file}:{first}: nothing stands below the front matter: write the instructions")
    if len(body.encode()) > LONGEST_BODY:
        raise ConfigError(
            f"{file}:{first}: the instructions have over {LONGEST_BODY // 2**10} KB: move parts into further files"
        )
    return Skill(
        name=name,
        description=description,
        folder=folder,
        body=body.strip() + "\n",
        needs=_needs(data, refuse),
        allowed_tools=_words(data, "allowed-tools", refuse),
        license=_text(data, "license", refuse) if data.get("license") is not None else "",
        metadata=_metadata(data, refuse),
        source=source,
    )


def _split(text: str, file: Path) -> tuple[str, str, int]:
    """Return front matter, body, and the line at which the body begins."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != _FENCE:
        raise ConfigError(
            f"{file}:1: no front matter: begin the file with a line of ---, then name: and description:, then ---"
        )
    for number, line in enumerate(lines[1:], start=2):
        if line.rstrip() == _FENCE:
            return "".join(lines[1 : number - 1]), "".join(lines[number:]), number + 1
    raise ConfigError(f"{file}:1: the front matter has no end: close it with a line of ---")


def _document(front: str, file: Path) -> Document:
    try:
        return read_document(front)
    except YamlMistake as mistake:
        line = (mistake.line or 1) + 1
        said = f"not valid YAML ({mistake.said}): correct it" if mistake.syntax else mistake.said
        hint = "; a text with a colon in it goes in quotes" if "mapping values" in mistake.said else ""
        raise ConfigError(f"{file}:{line}: {said}{hint}") from None


def _text(data: dict[str, Any], key: str, refuse: Any) -> str:
    value = data.get(key)
    if key not in data:
        near = next((other for other in data if did_you_mean(str(other), (key,))), None)
        hint = f" (is {near!r} meant?)" if near is not None else ""
        raise refuse(near or key, f"the front matter has no {key}{hint}: add `{key}:`")
    if not isinstance(value, str) or not value.strip():
        raise refuse(key, f"{key} is no text: write it in one line")
    if not value.replace("\n", " ").isprintable():
        raise refuse(key, f"{key} holds control characters: remove them")
    return value.strip()


def _words(data: dict[str, Any], key: str, refuse: Any) -> tuple[str, ...]:
    value = data.get(key)
    if isinstance(value, str):
        # A pattern in brackets may hold blanks: `Bash(git log:*)`.
        return tuple(re.findall(r"[^\s,(]+(?:\([^)]*\))?", value))
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    if value is None:
        return ()
    raise refuse(key, f"{key} is no list: write the names, separated by blanks")


def _needs(data: dict[str, Any], refuse: Any) -> tuple[Need, ...]:
    value = data.get("needs")
    texts = [value] if isinstance(value, str) else value
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise refuse("needs", "needs is no list: write one need in each entry, such as git or env:TOKEN")
    try:
        return tuple(map(parse_need, texts))
    except ValueError as error:
        raise refuse("needs", str(error)) from None


def _metadata(data: dict[str, Any], refuse: Any) -> dict[str, str]:
    value = data.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refuse("metadata", "metadata is no mapping: write KEY: VALUE lines below it")
    return {str(key): inner if isinstance(inner, str) else str(inner) for key, inner in value.items()}
