"""The files that definitions stand in: the paths of the settings, and of a folder each YAML file in it."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import ConfigError

SUFFIXES = (".yaml", ".yml")
MOST_FILES = 1000


def definition_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return every file that is named, and of each folder its YAML files by name, each once.

    A path that is not there holds none: the usual folder need not exist, and the settings refuse others. Raises ConfigError for a
    folder that cannot be listed or holds more than 1000 of them.
    """
    found: dict[Path, None] = {}
    for path in paths:
        place = path.expanduser()
        try:
            if place.is_dir():
                files = sorted(file for file in place.iterdir() if _is_definition(file))
            else:
                files = [place] if place.exists() else []
        except OSError as error:
            raise ConfigError(
                f"{place} cannot be listed ({error.strerror}): give this user the right to read it"
            ) from None
        if len(files) > MOST_FILES:
            raise ConfigError(f"{place} holds over {MOST_FILES} YAML files: is it the right folder?")
        found |= dict.fromkeys(files)
    return tuple(found)


def _is_definition(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
