"""A path as somebody typed it."""

from pathlib import Path

from ...errors import UsageError


def typed_path(text: str) -> Path:
    """Return the path, `~` and `~user` replaced. Raises UsageError for a user without a home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(f"{text}: that user has no home here: write the whole path") from None
