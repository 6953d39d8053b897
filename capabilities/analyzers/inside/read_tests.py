"""Facts about a project's tests, by parsing alone: `read_tests.py ORDER.json`, JSON on stdout.

Nothing of the project is imported or run.
"""

import ast
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

ASSERTING = ("assert", "raises", "warns", "fail", "verify", "expect", "check", "should")
"""A called name that holds one of these words counts as an assertion."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse(file: Path) -> ast.Module | None:
    """Return the file's syntax tree, or None when it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def name_of(node: ast.expr) -> str:
    """Return the dotted name of an expression such as `pytest.mark.skip(...)`, without its arguments."""
    if isinstance(node, ast.Call):
        return name_of(node.func)
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_functions(tree: ast.Module) -> Iterator[Function]:
    """Yield the test functions of a module and of its test classes."""
    for node in tree.body:
        if isinstance(node, Function) and node.name.startswith("test"):
            yield node
        elif isinstance(node, ast.ClassDef) and is_test_class(node):
            yield from (
                child for child in node.body if isinstance(child, Function) and child.name.startswith("test")
            )


def is_test_class(node: ast.ClassDef) -> bool:
    """Return whether pytest or unittest would collect the class."""
    return node.name.startswith("Test") or any("TestCase" in name_of(base) for base in node.bases)


def asserts(function: Function, helpers: set[str]) -> bool:
    """Return whether a function checks anything: itself, by a called assertion or by one of `helpers`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if isinstance(node, ast.Call):
            last = name_of(node.func).rpartition(".")[2]
            if last in helpers or any(word in last.lower() for word in ASSERTING):
                return True
    return False


def asserting_helpers(trees: list[ast.Module]) -> set[str]:
    """Return the names of functions in test code that check something, also by way of one another."""
    functions = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, Function) and not node.name.startswith("test")
    ]
    helpers: set[str] = set()
    for _ in range(3):
        helpers |= {node.name for node in functions if node.name not in helpers and asserts(node, helpers)}
    return helpers


def is_skipped(decorators: list[ast.expr]) -> bool:
    """Return whether a decorator skips the test for good, without a condition."""
    return any(name_of(node).rpartition(".")[2] == "skip" for node in decorators)


def words(tree: ast.Module) -> set[str]:
    """Return every name that a test module imports, reads or spells out as a short string."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.update(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            found.update((node.module or "").split("."))
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            # import_module("pkg.mod"), a command line, a patched target.
            found.update(node.value.replace("/", ".").replace("-", "_").split("."))
    return found


def read_tests(root: Path, files: list[str]) -> dict[str, object]:
    """Count what the test files hold and list what deserves a word."""
    parsed = {file: parse(root / file) for file in files}
    trees = {file: tree for file, tree in parsed.items() if tree is not None}
    helpers = asserting_helpers(list(trees.values()))
    functions = classes = 0
    silent: list[list[object]] = []
    skipped: list[list[object]] = []
    for file, tree in trees.items():
        if Path(file).name == "conftest.py":
            continue
        classes += sum(isinstance(node, ast.ClassDef) and is_test_class(node) for node in tree.body)
        for function in test_functions(tree):
            functions += 1
            if is_skipped(function.decorator_list):
                skipped.append([file, function.lineno, function.name])
            elif not asserts(function, helpers):
                silent.append([file, function.lineno, function.name])
    return {
        "functions": functions,
        "classes": classes,
        "silent": silent,
        "skipped": skipped,
        "mentioned": sorted(set().union(*(words(tree) for tree in trees.values()))),
        "unread": [file for file, tree in parsed.items() if tree is None],
    }


def public_names(file: Path) -> list[str]:
    """Return the names of functions and classes that a module defines for others."""
    tree = parse(file)
    if tree is None:
        return []
    return [
        node.name
        for node in tree.body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
    ]


def main() -> None:
    """Read the files that the order names."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    root = Path(order["root"])
    answer = read_tests(root, order["tests"])
    mentioned = answer.pop("mentioned")
    assert isinstance(mentioned, list)
    known = set(mentioned)
    answer["untested"] = [
        file
        for file in order["sources"]
        if (names := public_names(root / file)) and Path(file).stem not in known and not known & set(names)
    ]
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
