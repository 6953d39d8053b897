"""One YAML file as it was read: what it says, and at which line, for those who point at a mistake."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from .document import Document, Way, read_document
from .plain_yaml import YamlMistake, read_text


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file says, and where."""

    path: Path
    document: Document

    def place(self, way: Way = ()) -> str:
        """Return `FILE:LINE` of a value, or of the nearest one around it that has a line."""
        line = self.document.line(way)
        return f"{self.path}:{line}" if line is not None else str(self.path)


def read_yaml_file(file: Path, *, discreet: bool = False) -> YamlFile:
    """Return a file's document; `discreet` where its values may be secrets, which no message repeats.

    Raises ConfigError, with file and line, for one that is no YAML or cannot be read.
    """
    try:
        return YamlFile(file, read_document(read_text(file, str(file))))
    except YamlMistake as mistake:
        place = f"{file}:{mistake.line}" if mistake.line is not None else str(file)
        if discreet:
            said = f"not valid ({mistake.discreet}): correct it"
        else:
            said = f"not valid YAML ({mistake.said}): correct it" if mistake.syntax else mistake.said
        raise ConfigError(f"{place}: {said}") from None
