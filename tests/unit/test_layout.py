"""The root is the package: what that asks of the files, and that the wheel holds it all."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

ROOT = Path(__file__).resolve().parents[2]
NOT_CODE = {"tests", "bench", "docs", "compose", "k8s", "examples", "build", "dist"}
"""Top-level folders that are not part of the installed package."""

WHEEL = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
    "targets"
]["wheel"]


def package_files() -> Iterator[Path]:
    yield from ROOT.glob("*.py")
    for entry in WHEEL["only-include"]:
        yield from (ROOT / entry).rglob("*.py")


def data_files() -> Iterator[Path]:
    for folder in WHEEL["only-include"]:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                yield path


def test_each_top_level_module_and_code_folder_goes_into_the_wheel() -> None:
    folders = {
        folder.name
        for folder in ROOT.iterdir()
        if folder.is_dir() and not folder.name.startswith((".", "__")) and any(folder.rglob("*.py"))
    }
    modules = {path.name for path in ROOT.glob("*.py")}

    assert sorted((folders - NOT_CODE) | modules | {"py.typed"}) == sorted(WHEEL["only-include"])


def test_imports_between_the_folders_are_relative() -> None:
    # An absolute one works in development, and loads the checkout's module when another copy is installed.
    absolute = re.compile(r"^\s*(from|import)\s+picoclaw\b", re.MULTILINE)

    offenders = [
        str(path.relative_to(ROOT)) for path in package_files() if absolute.search(path.read_text("utf-8"))
    ]

    assert offenders == []


def test_each_code_folder_refuses_a_second_name() -> None:
    # `import config` from the root must fail and not load a twin of picoclaw.config.
    guard = "from .. import __version__ as __version__"

    lacking = [
        entry
        for entry in WHEEL["only-include"]
        if (ROOT / entry).is_dir() and guard not in (ROOT / entry / "__init__.py").read_text("utf-8")
    ]

    assert lacking == []


def test_the_development_link_is_a_link() -> None:
    # A checkout without symbolic links (Windows) has a text file here, and nothing imports.
    assert os.readlink(ROOT / ".dev" / "picoclaw") == ".."


def test_the_wheel_holds_every_module_and_imports_without_the_checkout(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "installed")

    modules = {f"picoclaw/{path.relative_to(ROOT)}" for path in package_files()}
    assert modules | {f"picoclaw/{path.relative_to(ROOT)}" for path in data_files()} <= inside
    assert {name for name in inside if not name.startswith("picoclaw/")} == set()

    names = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in modules
        if not name.endswith("__main__.py")
    )
    # -S leaves out the editable install; the path then holds the wheel and the dependencies only.
    program = (
        "import importlib, sys\n"
        f"sys.path[:0] = [{str(tmp_path / 'installed')!r}, *{[p for p in sys.path if p.endswith('-packages')]!r}]\n"
        f"for name in {names!r}:\n"
        "    module = importlib.import_module(name)\n"
        f"    assert module.__file__.startswith({str(tmp_path)!r}), module.__file__\n"
    )
    imported = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr
