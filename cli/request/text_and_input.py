"""The text and the input of a request, from arguments, files and stdin; read before anything is sent."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError

STDIN = "-"


def read_text(text: str | None, file: str | None) -> str:
    """Return the request's text: as it was typed, or of a file, or of stdin for `-`.

    Raises UsageError for both, for neither, and for a file that is no text of at most 32 MiB.
    """
    if text is not None and file is not None:
        raise UsageError("the text is given twice, as TEXT and by --file: leave one out")
    if text is not None:
        return text
    if file is None:
        raise UsageError("say what is to be done: give TEXT, or --file FILE (- for stdin)")
    if file == STDIN and sys.stdin.isatty():
        print("the request, up to Ctrl-D:", file=sys.stderr)
    data = _read(file, "--file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"--file {file} is not valid UTF-8 (byte {error.start}): save it in UTF-8, or send it as part of "
            "a repository with --repo"
        ) from None


def read_input(pairs: Sequence[str]) -> dict[str, Any]:
    """Return the input of `KEY=TEXT`, `KEY:=JSON` and `KEY=@FILE.json`, - for stdin.

    Raises UsageError for what is none of them, a key that is given twice or is `text`, and bad JSON.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        as_json = key.endswith(":")
        key = key.removesuffix(":").strip()
        if not equals or not key or not key.isprintable():
            raise UsageError(f"--input {pair[:80]!r} is none: write KEY=TEXT, KEY:=JSON or KEY=@FILE.json")
        if key == "text":
            raise UsageError("--input text=… is the request's text: give it as TEXT or by --file")
        if key in found:
            raise UsageError(f"--input {key} is given twice: leave one out")
        if as_json:
            found[key] = _json(value, f"--input {key}")
        elif value.startswith("@"):
            found[key] = _json(_read(value[1:], f"--input {key}"), f"--input {key}: {value[1:]}")
        else:
            found[key] = _checked(value, f"--input {key}")
    return found


def _checked(text: str, what: str) -> str:
    from ...gateway.asked import check_text

    check_text(text, what)
    return text


def _json(data: bytes | str, what: str) -> Any:
    from ...config.plain_json import read_json

    try:
        return read_json(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not JSON: {error}") from None


def _read(name: str, what: str) -> bytes:
    """Return a file's content; raises UsageError for one that cannot be read or is over 32 MiB."""
    from ...config.plain_file import open_given
    from ...swarm.bodies import BODY_LIMIT

    if not name:
        raise UsageError(f"{what}: the name of the file is empty")
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(BODY_LIMIT + 1)
        else:
            with open_given(Path(name)) as file:
                data = file.read(BODY_LIMIT + 1)
    except IsADirectoryError:
        raise UsageError(f"{what} {name} is a folder: name a file, or send it with --repo") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{what} {name} cannot be read: {why}") from None
    if len(data) > BODY_LIMIT:
        raise UsageError(
            f"{what} {name} is larger than {BODY_LIMIT >> 20} MiB: pass large inputs as a repository"
        )
    return data
