"""Languages by file name, or by the first line of a script: what a repository is written in."""

import re
from pathlib import PurePosixPath

PROGRAMMING = frozenset(
    {
        "assembly", "c", "clojure", "cpp", "csharp", "dart", "elixir", "erlang", "fsharp", "go", "groovy",
        "haskell", "java", "javascript", "julia", "kotlin", "lua", "nim", "ocaml", "perl", "php",
        "powershell", "python", "r", "ruby", "rust", "scala", "shell", "solidity", "sql", "swift",
        "typescript", "vue", "zig",
    }
)  # fmt: skip
"""Languages that a review names when nothing looked at them."""

PROSE = frozenset({"markdown", "restructuredtext", "text", "asciidoc"})

_BY_SUFFIX = {
    "assembly": ".asm .s",
    "asciidoc": ".adoc .asciidoc",
    "c": ".c .h",
    "clojure": ".clj .cljs",
    "cpp": ".cc .cpp .cxx .hpp .hh .hxx",
    "csharp": ".cs",
    "css": ".css .scss .less",
    "dart": ".dart",
    "elixir": ".ex .exs",
    "erlang": ".erl",
    "fsharp": ".fs",
    "go": ".go",
    "groovy": ".groovy .gradle",
    "haskell": ".hs",
    "html": ".html .htm",
    "java": ".java",
    "javascript": ".js .mjs .cjs .jsx",
    "json": ".json",
    "julia": ".jl",
    "kotlin": ".kt .kts",
    "lua": ".lua",
    "markdown": ".md .markdown .mdx",
    "nim": ".nim",
    "ocaml": ".ml .mli",
    "perl": ".pl .pm",
    "php": ".php",
    "powershell": ".ps1",
    "python": ".py .pyi",
    "r": ".r",
    "restructuredtext": ".rst",
    "ruby": ".rb",
    "rust": ".rs",
    "scala": ".scala",
    "shell": ".sh .bash .zsh",
    "solidity": ".sol",
    "sql": ".sql",
    "swift": ".swift",
    "terraform": ".tf",
    "text": ".txt",
    "toml": ".toml",
    "typescript": ".ts .tsx .mts .cts",
    "vue": ".vue .svelte",
    "xml": ".xml",
    "yaml": ".yaml .yml",
    "zig": ".zig",
}
_LANGUAGE = {suffix: name for name, suffixes in _BY_SUFFIX.items() for suffix in suffixes.split()}
_BY_NAME = {
    "dockerfile": "dockerfile",
    "makefile": "make",
    "gnumakefile": "make",
    "readme": "text",
    "license": "text",
    "changelog": "text",
}

_SHELLS = re.compile(rb"#!\s*(?:/usr)?(?:/local)?/bin/(?:env\s+(?:-S\s+)?)?(?:sh|bash|dash|ksh)\b")


def language_of(path: str) -> str:
    """Return the language of a file by its name, or an empty string."""
    name = PurePosixPath(path).name.lower()
    return _BY_NAME.get(name) or _LANGUAGE.get(PurePosixPath(name).suffix, "")


def language_of_script(path: str, beginning: bytes) -> str:
    """Return `shell` for a file without a suffix whose first line calls a shell, else an empty string."""
    if PurePosixPath(path).suffix or _SHELLS.match(beginning) is None:
        return ""
    return "shell"
