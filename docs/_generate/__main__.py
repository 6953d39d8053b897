"""`python -m docs._generate`: write the references anew; what has not changed is left alone."""

import sys
from pathlib import Path

from .cli_reference import cli_reference
from .config_reference import config_reference

DOCS = Path(__file__).resolve().parents[1]


def references() -> dict[Path, str]:
    """Return the text of each generated document, by its file."""
    return {DOCS / "CONFIG.md": config_reference(), DOCS / "cli.md": cli_reference()}


def main() -> None:
    """Write what has changed, and say so."""
    for path, text in references().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(DOCS.parent)} is new\n")


if __name__ == "__main__":
    main()
