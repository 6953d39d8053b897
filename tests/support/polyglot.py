"""A small repository in six languages, one planted fault or more in each, and the tools that find them."""

import os
import pwd
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

POLYGLOT: dict[str, str | bytes] = {
    "README.md": "# Polyglot\n\nOne fault in each language.\n",
    "app.py": '"""App."""\n\nimport os\n',
    "go.mod": "module example.org/polyglot\n\ngo 1.21\n",
    "cmd/main.go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Printf("%d\\n", "text")\n}\n',
    "rust/Cargo.toml": '[package]\nname = "polyglot"\nversion = "0.1.0"\nedition = "2021"\n',
    "rust/src/main.rs": (
        "fn main() {\n    let v: Vec<i32> = Vec::new();\n    if v.len() == 0 {\n        let unused = 3;\n    }\n"
        "    loop {\n        break;\n    }\n}\n"
    ),
    "web/page.js": "const table = { x: 1, x: 2 };\nmodule.exports = table;\n",
    "web/page.ts": "export const size: number = 1;\nswitch (size as number) {\n  case 1:\n  case 1:\n    break;\n}\n",
    "web/broken.js": "const a = ;\n",
    "run.sh": '#!/bin/sh\nplace=$1\nrm -rf $place/*\necho "$(ls)"\n',
    "bin/tool": "#!/usr/bin/env bash\nif true; then\n",
}

FAULTS: Mapping[str, tuple[str, str, str, int, str]] = {
    # language: tool, rule, path, line, severity
    "go": ("go vet", "printf", "cmd/main.go", 6, "medium"),
    "rust": ("clippy", "never_loop", "rust/src/main.rs", 6, "high"),
    "javascript": ("eslint", "no-dupe-keys", "web/page.js", 1, "high"),
    "typescript": ("typescript-eslint", "no-duplicate-case", "web/page.ts", 4, "medium"),
    "shell": ("shellcheck", "SC2115", "run.sh", 3, "medium"),
    "python": ("ruff", "F401", "app.py", 3, "low"),
}

NEEDED = {
    "go": ("go",),
    "rust": ("cargo", "cargo-clippy"),
    "javascript": ("eslint",),
    "typescript": ("eslint",),
    "shell": ("shellcheck",),
    "python": (),
}


def need(language: str) -> None:
    """Skip the test where the tool of a language is not on this machine."""
    from picoclaw.capabilities.analyzers.eslint import parser_home

    for program in NEEDED[language]:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on the PATH")
    if language == "typescript" and parser_home() is None:
        pytest.skip("@typescript-eslint/parser is not installed beside eslint")


def tool_homes() -> dict[str, str]:
    """Return where the tools of this machine's user keep what they need: a test's home is empty."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    return {
        "CARGO_HOME": os.environ.get("CARGO_HOME", str(home / ".cargo")),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(home / ".rustup")),
        "GOCACHE": os.environ.get("GOCACHE", str(home / ".cache" / "go-build")),
    }
