"""Severity and kind of a tool's rules: the tables by which findings are ranked.

critical  a secret of a known provider, or a private key, outside tests
high      wrong for sure (does not parse, undefined name, broken format string), or unsafe for sure
medium    probably a bug or a weakness; code that nobody can follow
low       untidy: dead code, missing types, doubtful habits
info      a matter of taste, spelling, a missing docstring

In test code a security finding counts one step less: tests hold made-up passwords on purpose.
"""

from ..findings import SEVERITIES, Kind, Severity

Ranked = tuple[Severity, Kind]

RUFF: tuple[tuple[str, Severity, Kind], ...] = (
    # The longest prefix wins; the order here does not matter.
    ("invalid-syntax", "high", "syntax"),
    ("E9", "high", "syntax"),
    ("E4", "info", "style"),
    ("E7", "low", "style"),
    ("E722", "low", "bug"),
    ("F", "medium", "bug"),
    ("F401", "low", "dead-code"),
    ("F403", "low", "style"),
    ("F405", "low", "style"),
    ("F541", "info", "style"),
    ("F811", "medium", "dead-code"),
    ("F821", "high", "bug"),
    ("F822", "high", "bug"),
    ("F823", "high", "bug"),
    ("F841", "low", "dead-code"),
    ("F842", "low", "dead-code"),
    ("F50", "high", "bug"),
    ("F52", "high", "bug"),
    ("F7", "high", "syntax"),
    ("B", "medium", "bug"),
    ("B007", "info", "style"),
    ("B009", "info", "style"),
    ("B010", "info", "style"),
    ("B011", "low", "bug"),
    ("B018", "low", "bug"),
    ("B024", "low", "style"),
    ("B027", "low", "style"),
    ("B028", "low", "style"),
    ("B904", "low", "style"),
    ("B905", "low", "bug"),
    ("BLE", "low", "bug"),
    ("ASYNC", "medium", "bug"),
    ("ASYNC23", "low", "bug"),
    ("ASYNC24", "low", "bug"),
    ("C901", "low", "complexity"),
    ("PLE", "high", "bug"),
    ("PLW", "low", "bug"),
    ("SIM", "info", "style"),
    ("RUF", "medium", "bug"),
    ("PT", "info", "test"),
    ("PT010", "medium", "test"),
    ("PT012", "low", "test"),
    ("PT015", "medium", "test"),
    ("PT017", "low", "test"),
    ("PT018", "info", "test"),
    ("D", "info", "docstring"),
    ("D101", "low", "docstring"),
    ("D419", "low", "docstring"),
    ("S", "medium", "vulnerability"),
    ("S1", "low", "vulnerability"),
    ("S102", "medium", "vulnerability"),
    ("S104", "medium", "vulnerability"),
    ("S105", "low", "secret"),
    ("S106", "low", "secret"),
    ("S107", "low", "secret"),
    ("S201", "high", "vulnerability"),
    ("S3", "medium", "vulnerability"),
    ("S311", "low", "vulnerability"),
    ("S324", "high", "vulnerability"),
    ("S401", "high", "vulnerability"),
    ("S402", "high", "vulnerability"),
    ("S4", "low", "vulnerability"),
    ("S501", "high", "vulnerability"),
    ("S602", "high", "vulnerability"),
    ("S605", "high", "vulnerability"),
    ("S606", "low", "vulnerability"),
    ("S608", "medium", "vulnerability"),
    ("S701", "high", "vulnerability"),
)

MYPY_HIGH = frozenset({"name-defined", "call-arg", "syntax"})
MYPY_LOW = frozenset(
    {
        "annotation-unchecked",
        "assignment",
        "import-not-found",
        "misc",
        "no-redef",
        "override",
        "var-annotated",
    }
)

COMPLEXITY: tuple[tuple[int, Severity], ...] = ((41, "medium"), (21, "low"))
"""Cyclomatic complexity from which a function is reported, by radon's ranks D, E and F."""


def ruff_rank(code: str) -> Ranked:
    """Return severity and kind of a rule of ruff."""
    best = max((row for row in RUFF if code.startswith(row[0])), key=lambda row: len(row[0]), default=None)
    return (best[1], best[2]) if best else ("low", "style")


def mypy_severity(code: str) -> Severity:
    """Return the severity of an error code of mypy."""
    if code in MYPY_HIGH:
        return "high"
    return "low" if code in MYPY_LOW else "medium"


def lower(severity: Severity, steps: int = 1) -> Severity:
    """Return a severity some steps less grave, `info` at the least."""
    return SEVERITIES[min(SEVERITIES.index(severity) + steps, len(SEVERITIES) - 1)]
