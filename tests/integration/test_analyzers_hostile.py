"""A hostile repository: it can neither run code in a tool, nor configure one, nor hide a finding."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from picoclaw.tests.support.repositories import FolderContext, found, make_repository, review_folder, tool

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

SHADOWED = [
    "ast", "json", "re", "argparse", "tomllib", "configparser", "logging", "asyncio", "typing", "runpy",
    "mypy", "bandit", "ruff", "radon", "vulture", "interrogate", "detect_secrets", "codespell_lib",
    "coverage", "click", "yaml", "attr", "sitecustomize", "usercustomize", "conftest", "plugin",
]  # fmt: skip

RUFF_BLIND = (
    'exclude = ["*"]\nforce-exclude = true\nlint.ignore = ["ALL"]\n'
    'lint.per-file-ignores = { "*" = ["ALL"] }\n'
)

SETTINGS = {
    "mypy.ini": "[mypy]\nplugins = plugin.py\nignore_errors = True\n",
    "setup.cfg": "[mypy]\nplugins = plugin\n[codespell]\nskip = *\n[radon]\nexclude = *\n"
    "[interrogate]\nexclude = .\n",
    ".codespellrc": "[codespell]\nskip = *\nignore-words-list = recieve\n",
    ".bandit": "[bandit]\nskips = B602,B324\nexclude = /\n",
    ".flake8": "[flake8]\nexclude = .\n",
    "radon.cfg": "[radon]\nexclude = *\n",
    "ruff.toml": RUFF_BLIND,
    ".ruff.toml": RUFF_BLIND,
    ".secrets.baseline": '{"plugins_used": [{"name": "X", "path": "file://plugin.py"}], "results": {}}',
    ".coveragerc": "[run]\nplugins = plugin\n",
    "pyproject.toml": (
        '[tool.ruff]\nexclude = ["*"]\n[tool.ruff.lint]\nignore = ["ALL"]\n'
        '[tool.mypy]\nplugins = ["plugin"]\nignore_errors = true\nexclude = ".*"\n'
        '[tool.vulture]\nexclude = ["*"]\nmin_confidence = 100\n'
        '[tool.bandit]\nexclude_dirs = ["/"]\nskips = ["B602", "B324"]\n'
        '[tool.codespell]\nskip = "*"\n'
        '[tool.interrogate]\nexclude = ["."]\nfail-under = 0\n'
        '[tool.coverage.run]\nplugins = ["plugin"]\n'
    ),
    "pkg/mypy.ini": "[mypy]\nplugins = plugin.py\n",
    "pkg/ruff.toml": RUFF_BLIND,
}

GUILTY = '''"""A module with one fault for each tool."""
import hashlib
import subprocess


def run(command: str) -> int:
    subprocess.call(command, shell=True)
    return "text"


def recieve() -> None:
    missing_name()
    return None
    print("never")


PASSWORD = "hunter2-correct-horse-7"
DIGEST = hashlib.md5(b"x")
'''


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """A repository whose every module leaves a mark when it runs, and the folder for the marks."""
    marks = tmp_path / "marks"
    marks.mkdir()
    files: dict[str, str | bytes] = dict(SETTINGS)
    for name in SHADOWED:
        mark = (
            f"import os\nopen(os.path.join({str(marks)!r}, {name!r}), 'w').close()\n"
            "def plugin(version):\n    raise SystemExit(9)\n"
        )
        for place in (f"{name}.py", f"pkg/{name}.py", f"tests/{name}.py"):
            files[place] = mark
    files["pkg/guilty.py"] = GUILTY
    files["tests/test_it.py"] = "def test_nothing():\n    pass\n"
    return make_repository(tmp_path / "hostile", files), marks


@pytest.mark.parametrize("area", ["code", "security", "docs", "testing"])
async def test_no_module_or_setting_of_the_repository_takes_effect(
    hostile: tuple[Path, Path], area: str, tmp_path: Path
) -> None:
    repository, marks = hostile
    review = await review_folder(repository, area, FolderContext(tmp_path / "node"))

    assert os.listdir(marks) == [], "the repository ran code"
    assert {run.status for run in review.tools} <= {"ok", "nothing to do", "not asked"}, review.tools
    guilty = {(finding.tool, finding.rule) for finding in review.findings if "guilty" in finding.path}
    if area == "code":
        assert ("ruff", "F821") in guilty
        assert ("mypy", "return-value") in guilty
        assert ("vulture", "unreachable-code") in guilty
        assert tool(review, "radon").status == "ok"
    elif area == "security":
        assert ("bandit", "B602") in guilty
        assert ("bandit", "B324") in guilty
        assert ("ruff", "S602") in guilty
        assert ("detect-secrets", "secret-keyword") in guilty
    elif area == "docs":
        assert ("codespell", "misspelling") in guilty
        assert ("ruff", "D103") in guilty
        assert tool(review, "interrogate").files
    else:
        assert found(review, "no-assertion")[0].path == "tests/test_it.py"


def test_the_trap_itself_works(hostile: tuple[Path, Path]) -> None:
    """The marks appear when a tool is run carelessly, so their absence means something."""
    repository, marks = hostile
    argv = [sys.executable, "-m", "bandit", "--help"]
    subprocess.run(argv, cwd=repository, capture_output=True, timeout=30, check=False)
    assert os.listdir(marks)
