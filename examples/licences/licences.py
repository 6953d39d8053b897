"""Which licence a repository is under: by its licence file first, then by what its package files say."""

import json
import re
import tomllib
from pathlib import Path

SAYS = {
    "MIT": r"Permission is hereby granted, free of charge",
    "Apache-2.0": r"Apache License\s+Version 2\.0",
    "GPL-3.0": r"GNU GENERAL PUBLIC LICENSE\s+Version 3",
    "BSD-3-Clause": r"Redistribution and use in source and binary forms[\s\S]+Neither the name",
    "MPL-2.0": r"Mozilla Public License Version 2\.0",
}
NAMES = ("LICENSE", "LICENCE", "COPYING")
READ = 100_000
"""Characters of a file that are looked at."""


def inventory(repository: Path) -> dict[str, object]:
    """Return the licence with the file that says so; `unknown` is 1 where nothing does."""
    files = [path for path in sorted(repository.rglob("*")) if path.is_file()]
    licence, evidence = by_text(repository) or by_package(repository) or ("none found", "")
    return {
        "licence": licence,
        "evidence": evidence,
        "files": len(files),
        "unknown": int(not evidence),
    }


def by_text(repository: Path) -> tuple[str, str] | None:
    """Return what the licence file's words say."""
    for path in sorted(repository.iterdir()):
        if path.is_file() and path.name.upper().startswith(NAMES):
            text = " ".join(path.read_text(encoding="utf-8", errors="replace")[:READ].split())
            found = (name for name, words in SAYS.items() if re.search(words, text))
            return next(found, "other"), path.name
    return None


def by_package(repository: Path) -> tuple[str, str] | None:
    """Return what pyproject.toml or package.json says."""
    python, node = repository / "pyproject.toml", repository / "package.json"
    if python.is_file():
        said = tomllib.loads(python.read_text(encoding="utf-8")).get("project", {}).get("license")
        if said:
            return (said if isinstance(said, str) else str(said.get("text", "other"))), python.name
    if node.is_file():
        said = json.loads(node.read_text(encoding="utf-8")).get("license")
        if said:
            return str(said), node.name
    return None
