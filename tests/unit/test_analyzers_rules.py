"""The tables and pure parts of the analyzers."""

from pathlib import Path

import pytest

from picoclaw.capabilities.analyzers.project import Project, read_project
from picoclaw.capabilities.analyzers.review import progress_line, summarize
from picoclaw.capabilities.analyzers.ruff import RULES
from picoclaw.capabilities.analyzers.severity import RUFF, lower, mypy_severity, ruff_rank
from picoclaw.capabilities.findings import Finding, Review, ToolRun
from picoclaw.capabilities.languages import language_of
from picoclaw.tests.support.repositories import make_repository

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("F821", ("high", "bug")),
        ("F401", ("low", "dead-code")),
        ("F632", ("medium", "bug")),
        ("B006", ("medium", "bug")),
        ("BLE001", ("low", "bug")),
        ("S602", ("high", "vulnerability")),
        ("S105", ("low", "secret")),
        ("SIM118", ("info", "style")),
        ("PLE0101", ("high", "bug")),
        ("invalid-syntax", ("high", "syntax")),
        ("XYZ1", ("low", "style")),
    ],
)
def test_the_longest_prefix_ranks_a_rule(code: str, expected: tuple[str, str]) -> None:
    assert ruff_rank(code) == expected


def test_every_selected_family_has_a_rank_of_its_own() -> None:
    prefixes = [prefix for prefix, _, _ in RUFF]
    for select, _ in RULES.values():
        for code in select.split(","):
            assert any(code.startswith(prefix) or prefix.startswith(code) for prefix in prefixes), code


def test_no_step_down_leaves_the_scale() -> None:
    assert lower("critical") == "high"
    assert lower("low", 5) == "info"
    assert (mypy_severity("name-defined"), mypy_severity("override"), mypy_severity("arg-type")) == (
        "high", "low", "medium",
    )  # fmt: skip


def project(tmp_path: Path, text: str) -> Project:
    return read_project(make_repository(tmp_path / "r", {"pyproject.toml": text}))


def test_a_projects_declared_style_is_taken_over(tmp_path: Path) -> None:
    said = project(
        tmp_path,
        '[project]\nrequires-python = ">=3.9,<4"\n[tool.ruff]\nline-length = 70\n'
        '[tool.ruff.format]\nquote-style = "single"\nexclude = ["*"]\n',
    )
    assert said == Project((3, 9), 70, True, (("quote-style", '"single"'),))


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "[tool]\nruff = 3\nblack = []\n",
        "[tool.ruff]\nline-length = 'x'\n",
        '[project]\nrequires-python = ">=2.7"\n',
        '[project]\nrequires-python = ["3.9"]\n',
        '[tool.ruff.format]\nquote-style = "single\'\\nx=1"\n',
        "project = 1\n",
    ],
)
def test_a_project_that_says_nonsense_says_nothing(tmp_path: Path, text: str) -> None:
    said = project(tmp_path, text)
    assert (said.python, said.line_length, said.format_options) == (None, 88, ())


def test_a_settings_file_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "r", {})
    outside = make_repository(tmp_path, {"outside.toml": "[tool.ruff]\nline-length = 70\n"}) / "outside.toml"
    (folder / "pyproject.toml").symlink_to(outside)
    assert read_project(folder) == Project()


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (ToolRun(tool="bandit", status="ok", findings=12, seconds=1.234), "bandit: 12 findings in 1.2 s"),
        (ToolRun(tool="mypy", status="ok", findings=1, seconds=3), "mypy: 1 finding in 3.0 s"),
        (
            ToolRun(tool="mypy", status="failed", detail="exit code 2: oops"),
            "mypy: failed (exit code 2: oops)",
        ),
        (ToolRun(tool="radon", status="nothing to do"), "radon: nothing to do"),
    ],
)
def test_progress_is_one_line_a_tool(run: ToolRun, line: str) -> None:
    assert progress_line(run) == line


def test_a_summary_names_the_tools_that_could_not_speak() -> None:
    finding = Finding(path="a", line=1, rule="x", severity="high", kind="bug", message="m", tool="t")
    twice = finding.model_copy(update={"tool": "u", "rule": "y"})
    review = Review(
        area="code", findings=(finding, twice), dropped=2, tools=(ToolRun(tool="mypy", status="timed out"),)
    )
    # As the report counts it: both say one thing of one line.
    assert summarize(review) == "code: 4 findings, 1 high or worse; without mypy"


@pytest.mark.parametrize(
    ("path", "language"),
    [("a.PY", "python"), ("x/Makefile", "make"), ("README", "text"), ("a.b.rs", "rust"), ("x.unknown", "")],
)
def test_languages_go_by_the_name(path: str, language: str) -> None:
    assert language_of(path) == language
