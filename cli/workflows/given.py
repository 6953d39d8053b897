"""The inputs of a workflow as a command line gives them: `NAME=VALUE`, `NAME:=JSON`, `NAME=@FILE`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from ...config.plain_file import open_given
from ...config.plain_json import read_json
from ...config.spelling import did_you_mean
from ...errors import ConfigError, UsageError
from ..request.typed_path import typed_path
from .folder_files import FolderFiles

if TYPE_CHECKING:
    from ...roles.planning.inputs import Input
    from ...roles.planning.template import Template

MAX_BYTES = 16 * 2**20
MAX_REPOSITORIES = 10_000


@dataclass(frozen=True, slots=True)
class Given:
    """What `--input` gives one input: texts, in the order given, or a value in JSON."""

    texts: tuple[str, ...] = ()
    json: JsonValue = None


def read_pairs(pairs: Sequence[str]) -> dict[str, Given]:
    """Return what `--input` gives, by name; raises UsageError."""
    found: dict[str, Given] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name, in_json = name.strip(), name.strip().endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise UsageError(f"--input {pair[:100]!r} is not NAME=VALUE: write for example --input depth=2")
        before = found.get(name)
        if before is not None and (in_json or before.json is not None):
            raise UsageError(f"--input {name} is given twice, once as JSON: give a list as one JSON list")
        if in_json:
            found[name] = Given(json=_json(name, value))
        else:
            found[name] = Given((*(before.texts if before is not None else ()), value))
    return found


def read_inputs(
    template: "Template", given: Mapping[str, Given], files: FolderFiles
) -> tuple[dict[str, JsonValue], dict[str, list[str]]]:
    """Return the values of the inputs, and apart the folders and URLs of those that are repositories.

    Raises UsageError for an input that is not declared, a value of another type, a file that cannot be
    read, and a pattern that fits no file.
    """
    for name in given:
        if name not in template.inputs:
            known = ", ".join(template.inputs) or "none"
            raise UsageError(
                f"workflow {template.name!r} has no input {name[:100]!r}{did_you_mean(name, template.inputs)} "
                f"(inputs: {known})"
            )
    values: dict[str, JsonValue] = {}
    repositories: dict[str, list[str]] = {}
    for name, declared in template.inputs.items():
        one = given.get(name)
        if one is not None and one.json is not None:
            if declared.type in ("files", "repositories"):
                raise UsageError(f"--input {name} is a list of {declared.type}: give one --input for each")
            values[name] = one.json
        elif declared.type == "repositories":
            if one is not None:
                repositories[name] = _repositories(name, one.texts)
        elif declared.type == "files":
            wanted = _lines(name, one.texts) if one is not None else list(declared.patterns)
            if wanted:
                lacking = one is None and not declared.required
                fitting = files.fitting(wanted, f"--input {name}", may_be_none=lacking)
                values[name] = list[JsonValue](fitting)
        elif one is not None:
            values[name] = _value(name, declared, one.texts)
    return values, repositories


def _value(name: str, declared: "Input", texts: Sequence[str]) -> JsonValue:
    if declared.type == "list":
        return _list(name, texts)
    if len(texts) > 1:
        raise UsageError(f"--input {name} is given {len(texts)} times, and is {declared.type}: give it once")
    text = texts[0]
    match declared.type:
        case "number":
            return _number(name, text)
        case "flag":
            return _flag(name, text)
        case _:
            return _read(name, text[1:]).removesuffix("\n") if _is_file(text) else _plain(text)


def _number(name: str, text: str) -> int | float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not math.isfinite(number):
        raise UsageError(f"--input {name}={text[:40]!r} is no number")
    return int(number) if number == int(number) and "." not in text and "e" not in text.lower() else number


def _flag(name: str, text: str) -> bool:
    from ...config.values import parse_bool

    try:
        return parse_bool(text)
    except ConfigError:
        raise UsageError(f"--input {name}={text[:40]!r} is neither true nor false") from None


def _list(name: str, texts: Sequence[str]) -> list[JsonValue]:
    if len(texts) == 1:
        only = texts[0]
        if _is_file(only) and only.endswith(".json"):
            return _json_list(name, _read(name, only[1:]))
        if only.startswith("["):
            return _json_list(name, only)
    return list[JsonValue](_lines(name, texts))


def _json_list(name: str, text: str) -> list[JsonValue]:
    found = _json(name, text)
    if not isinstance(found, list):
        raise UsageError(f"--input {name} is JSON, but no list: write [ … ]")
    return found


def _json(name: str, text: str) -> JsonValue:
    try:
        found: JsonValue = read_json(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"--input {name} is not valid JSON ({error}): correct it, or write {name}=TEXT"
        ) from None
    if found is None:
        raise UsageError(f"--input {name} is null: leave it out instead")
    return found


def _lines(name: str, texts: Sequence[str]) -> list[str]:
    """Return the entries; `@FILE` stands for the lines of a file, without empty ones and comments."""
    found: list[str] = []
    for text in texts:
        found += _entries(_read(name, text[1:])) if _is_file(text) else [_plain(text)]
    return found


def _repositories(name: str, texts: Sequence[str]) -> list[str]:
    """Return folders and URLs; in a file, folders are relative to it. A pattern stands for the folders it fits."""
    from ...capabilities.repository.url import is_url
    from ...gateway.asked import check_repository

    found: list[str] = []
    for text in texts:
        base = Path(text[1:]).parent if _is_file(text) else Path()
        for entry in _entries(_read(name, text[1:])) if _is_file(text) else [_plain(text)]:
            if not entry.strip():
                raise UsageError(f"--input {name} is empty: name a folder or a git URL")
            found += [entry] if is_url(entry) else _folders(name, base / typed_path(entry))
    if len(found) > MAX_REPOSITORIES:
        raise UsageError(
            f"--input {name} names {len(found):,} repositories, {MAX_REPOSITORIES:,} are allowed"
        )
    for entry in found:
        check_repository(entry)
    return found


def _folders(name: str, path: Path) -> list[str]:
    if not any(mark in str(path) for mark in "*?["):
        return [str(path)]
    import glob

    found = sorted(entry for entry in glob.glob(str(path)) if Path(entry).is_dir())
    if not found:
        raise UsageError(f"--input {name}: no folder fits {path}")
    return found


def _entries(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _is_file(text: str) -> bool:
    return text.startswith("@") and not text.startswith("@@")


def _plain(text: str) -> str:
    """Take `@@x` for the text `@x`."""
    return text[1:] if text.startswith("@@") else text


def _read(name: str, file: str) -> str:
    path = typed_path(file)
    try:
        with open_given(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--input {name}: file {file} cannot be read ({why}): check the path") from None
    if len(data) > MAX_BYTES:
        raise UsageError(
            f"--input {name}: file {file} is over {MAX_BYTES // 2**20} MiB: pass it as a repository"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--input {name}: file {file} is not UTF-8 text: pass it as a repository") from None
