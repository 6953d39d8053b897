"""Reviews of small repositories by the real tools."""

import asyncio
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from picoclaw.capabilities.analyzers.analyzer import Order, Reading, Target
from picoclaw.capabilities.analyzers.review import ANALYZERS, ReviewExecutor
from picoclaw.capabilities.analyzers.running import read_json
from picoclaw.capabilities.analyzers.survey import SourceFile
from picoclaw.capabilities.findings import Area, Finding, Review
from picoclaw.capabilities.repository.reference import refer
from picoclaw.capabilities.tool import ToolOutput
from picoclaw.errors import FinalError
from picoclaw.swarm.records import RepositoryRef
from picoclaw.tests.support.repositories import (
    FolderContext,
    found,
    make_repository,
    queued_review,
    review_folder,
    tool,
)
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

# Put together here, so that no scanner, ours included, takes this file for a leak.
AWS = "AKIA" + "IOSFODNN7ABCDEFG"
SLACK = "xoxb-" + "123456789012-abcdefghijkl"

FAULTS: dict[str, str | bytes] = {
    "pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.9"\n[tool.ruff]\nline-length = 70\n',
    "pkg/__init__.py": '"""A package."""\n',
    "pkg/bugs.py": (
        '"""Bugs."""\nimport os\n\n\ndef add(items=[]):\n    """Add."""\n    return undefined_name + items\n\n\n'
        'def number() -> int:\n    """Give a number."""\n    return "no number"\n'
    ),
    "pkg/weak.py": (
        '"""Weak."""\nimport hashlib\nimport subprocess\n\n\ndef run(x: str) -> None:\n'
        "    subprocess.call(x, shell=True)\n    eval(x)\n\n\n"
        f'AWS = "{AWS}"\nDIGEST = hashlib.md5(b"")\n'
        'PASSWORD = "hunter2-correct-horse-8"\n'
    ),
    "pkg/tangled.py": '"""Tangled."""\n\n\ndef choose(n: int) -> int:\n    """Choose."""\n'
    + "".join(f"    if n == {n}:\n        return {n * 2}\n" for n in range(45))
    + "    return 0\n",
    "pkg/shaped.py": '"""Shaped."""\n\n\ndef f( a,b ):\n    """Return."""\n    return a+b\n',
    "README.md": "# Title\n\nWe recieve teh data, and it doesn't matter.\n",
    "tests/test_bugs.py": (
        "import pytest\n\nfrom pkg import bugs\n\n\ndef test_ok():\n    assert bugs.number()\n\n\n"
        "def test_silent():\n    bugs.number()\n\n\n@pytest.mark.skip\ndef test_later():\n    assert True\n\n\n"
        'PASSWORD = "hunter2-correct-horse-7"\n'
    ),
    "cli/main.rb": "puts 1\n",
}


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "faults", FAULTS)


@pytest.fixture
def context(tmp_path: Path) -> FolderContext:
    return FolderContext(tmp_path / "node")


def assert_all_ran(review: Review) -> None:
    failed = [run for run in review.tools if run.status not in ("ok", "nothing to do", "not asked")]
    assert not failed
    for run in review.tools:
        if run.status == "ok" and run.tool not in ("test facts", "doc facts", "coverage report"):
            assert run.version, run


async def test_the_code_review_finds_each_kind_of_fault_in_its_place(
    faults: Path, context: FolderContext
) -> None:
    review = await review_folder(faults, "code", context)
    assert_all_ran(review)
    seen = {(f.tool, f.rule, f.path, f.line): (f.severity, f.kind) for f in review.findings}
    assert seen["ruff", "F821", "pkg/bugs.py", 7] == ("high", "bug")
    assert seen["ruff", "F401", "pkg/bugs.py", 2] == ("low", "dead-code")
    assert seen["ruff", "B006", "pkg/bugs.py", 5] == ("medium", "bug")
    assert seen["mypy", "return-value", "pkg/bugs.py", 12] == ("medium", "types")
    assert seen["radon", "complexity-F", "pkg/tangled.py", 4] == ("medium", "complexity")
    assert seen["ruff format", "unformatted", "pkg/shaped.py", 0] == ("info", "format")
    assert review.languages["ruby"] == 1
    assert review.looked_at == ("python",)
    assert "ruby (1 file): not reviewed, this version has no analyzer for it" in review.notes
    worst_first = ["critical", "high", "medium", "low", "info"]
    order = [worst_first.index(f.severity) for f in review.findings]
    assert order == sorted(order)


async def test_the_security_review_finds_weaknesses_and_secrets(faults: Path, context: FolderContext) -> None:
    review = await review_folder(faults, "audit", context)
    assert_all_ran(review)
    assert review.area == "security"
    seen = {(f.tool, f.rule, f.path, f.line): (f.severity, f.kind) for f in review.findings}
    assert seen["bandit", "B602", "pkg/weak.py", 7] == ("high", "vulnerability")
    assert seen["bandit", "B307", "pkg/weak.py", 8] == ("medium", "vulnerability")
    assert seen["ruff", "S324", "pkg/weak.py", 12] == ("high", "vulnerability")
    assert seen["detect-secrets", "aws-access-key", "pkg/weak.py", 11] == ("critical", "secret")
    # Made-up passwords of tests count less.
    assert seen["detect-secrets", "secret-keyword", "tests/test_bugs.py", 19] == ("info", "secret")
    assert "AKIA" not in review.model_dump_json()
    assert "hunter2" not in review.model_dump_json()
    assert found(review, "B105")[0].message == "Possible hardcoded password"
    assert found(review, "B105")[0].kind == "secret", "as detect-secrets calls it: the report counts it once"


async def test_the_docs_review_finds_misspellings_and_missing_docstrings(
    faults: Path, context: FolderContext
) -> None:
    review = await review_folder(faults, "docs", context)
    assert_all_ran(review)
    assert [(f.path, f.line, f.severity) for f in found(review, "misspelling")] == [
        ("README.md", 3, "low")
    ] * 1
    assert [(f.path, f.line) for f in found(review, "D103")] == [("pkg/weak.py", 6)]
    assert review.facts["public objects"] == 10
    assert review.facts["with a docstring"] == 9
    assert review.looked_at == ("markdown", "python")


async def test_the_testing_review_reads_tests_without_running_them(
    faults: Path, context: FolderContext
) -> None:
    review = await review_folder(faults, "qa", context)
    assert_all_ran(review)
    assert review.facts["test functions"] == 3
    assert review.facts["test files"] == 1
    assert [(f.path, f.line) for f in found(review, "no-assertion")] == [("tests/test_bugs.py", 10)]
    assert [(f.path, f.line) for f in found(review, "skipped")] == [("tests/test_bugs.py", 15)]
    assert [f.path for f in found(review, "untested")] == ["pkg/shaped.py", "pkg/tangled.py", "pkg/weak.py"]
    assert tool(review, "coverage report").status == "nothing to do"
    assert tool(review, "the project's own tests").status == "not asked"


async def test_progress_tells_of_each_tool(faults: Path, context: FolderContext) -> None:
    await review_folder(faults, "docs", context)
    assert len(context.said) == 4
    assert any(line.startswith("codespell: 1 finding in ") for line in context.said), context.said


async def test_syntax_errors_are_findings_and_the_rest_is_still_read(
    tmp_path: Path, context: FolderContext
) -> None:
    folder = make_repository(
        tmp_path / "r",
        {
            "broken.py": "x = 1\ndef f(:\n",
            "null.py": "x = (\n",
            "deep.py": "x = " + "(" * 5000 + ")" * 5000 + "\n",
            "good.py": "import os\n\n\ndef f() -> int:\n    eval('1')\n    return ''\n",
            "bad_text.py": b"x = '\xff'\n",
            "tests/test_x.py": "def test_(:\n",
        },
    )
    for area in ("code", "security", "docs", "testing"):
        review = await review_folder(folder, area, context)
        assert_all_ran(review)
        syntax = {f.path for f in review.findings if f.kind == "syntax"}
        if area != "testing":
            assert {"broken.py", "null.py", "bad_text.py"} <= syntax, area
        assert found(review, "encoding")[0].line == 1
        if area == "code":
            assert [f.path for f in found(review, "return-value")] == ["good.py"]
            assert [f.path for f in found(review, "F401")] == ["good.py"]
            assert "could not place or parse" in tool(review, "mypy").detail
        if area == "security":
            assert [f.path for f in found(review, "B307")] == ["good.py"]
            assert "could not read" in tool(review, "bandit").detail


async def test_files_of_any_name_are_found_under_it(tmp_path: Path, context: FolderContext) -> None:
    names = [
        "a b.py",
        "@x.py",
        "-x.py",
        "ü.py",
        "it's.py",
        "a:1: b.py",
        "[x].py",
        "{y}.py",
        "*.py",
        "#.py",
        "s.pyi",
        "a/ b/ü.py",
    ]
    fault = (
        '"""Doc."""\n\nimport hashlib\n\nPASSWORD = "hunter2-correct-horse-7"\nhashlib.md5()\n\n\n'
        'def recieve(b: int) -> int:\n    """Recieve."""\n    return 1\n    print(undefined_name)\n'
    )
    folder = make_repository(tmp_path / "r", dict.fromkeys(names, fault) | {"empty.py": ""})
    rules = {
        "code": [("ruff", "F821"), ("vulture", "unreachable-code"), ("mypy", "name-defined")],
        "security": [("bandit", "B324"), ("ruff", "S324"), ("detect-secrets", "secret-keyword")],
        "docs": [("codespell", "misspelling")],
    }
    for area, expected in rules.items():
        review = await review_folder(folder, area, context)
        assert_all_ran(review)
        for name, rule in expected:
            seen = {f.path for f in review.findings if (f.tool, f.rule) == (name, rule)}
            # Of files that mypy can only call by one name it takes one.
            assert seen == set(names) if name != "mypy" else seen <= set(names), (name, rule)
            assert seen, (name, rule)


async def test_modules_of_one_name_do_not_silence_mypy(tmp_path: Path, context: FolderContext) -> None:
    wrong = "def f() -> int:\n    return ''\n"
    names = [
        "a/setup.py",
        "b/setup.py",
        "my-dir/x.py",
        "other-dir/x.py",
        "types.py",
        "typing.py",
        "__init__.py",
        "9/y.py",
    ]
    review = await review_folder(
        make_repository(tmp_path / "r", dict.fromkeys(names, wrong)), "code", context
    )
    assert_all_ran(review)
    assert {"a/setup.py", "b/setup.py", "__init__.py"} <= {f.path for f in found(review, "return-value")}


@pytest.mark.parametrize("layout", ["", "src/"])
async def test_mypy_follows_imports_inside_the_repository(
    layout: str, tmp_path: Path, context: FolderContext
) -> None:
    folder = make_repository(
        tmp_path / "r",
        {
            f"{layout}pkg/__init__.py": "",
            f"{layout}pkg/a.py": "def f(x: int) -> int:\n    return x\n",
            f"{layout}pkg/b.py": "from pkg.a import f\nfrom .a import f as g\nf('')\ng('')\n",
        },
    )
    review = await review_folder(folder, "code", context)
    assert [(f.path, f.line) for f in found(review, "arg-type")] == [
        (f"{layout}pkg/b.py", 3),
        (f"{layout}pkg/b.py", 4),
    ]


async def test_no_python_is_nothing_to_do_and_said_so(tmp_path: Path, context: FolderContext) -> None:
    review = await review_folder(
        make_repository(tmp_path / "r", {"a.rb": "puts 1\n", "b.rb": "x\n"}), "code", context
    )
    assert {run.status for run in review.tools} == {"nothing to do"}
    assert review.findings == ()
    assert review.looked_at == ()
    assert review.notes == ("ruby (2 files): not reviewed, this version has no analyzer for it",)


async def test_a_review_without_a_repository_says_what_would_make_it_work(context: FolderContext) -> None:
    with pytest.raises(FinalError, match="--repo"):
        await ReviewExecutor().execute(queued_review(None, "code"), context)


async def test_two_areas_in_one_task_are_two_reviews(faults: Path, context: FolderContext) -> None:
    referred = await refer(str(faults), context.artifacts)
    result = await ReviewExecutor().execute(queued_review(referred.repository, "docs+testing"), context)
    assert isinstance(result.data, list)
    assert [Review.model_validate(review).area for review in result.data] == ["docs", "testing"]
    assert result.summary.startswith("docs: ")


async def test_what_does_not_fit_is_counted(faults: Path, context: FolderContext) -> None:
    whole = await review_folder(faults, "code", context)
    capped = await review_folder(faults, "code", context, ReviewExecutor(max_findings=2))
    assert capped.findings == whole.findings[:2]
    assert capped.dropped == len(whole.findings) - 2


def bug(message: str) -> Finding:
    return Finding(
        path="a.py", line=1, rule="x", severity="low", kind="bug", message=message, tool="scripted"
    )


@dataclass(frozen=True, slots=True)
class Scripted:
    """An analyzer that does whatever its script says."""

    script: str
    name: str = "scripted"
    module: str = ""
    distribution: str = ""
    area: Area = "code"
    understands: frozenset[str] = frozenset({"python"})

    def files(self, target: Target) -> tuple[SourceFile, ...]:
        return target.survey.files

    def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
        path = folder / "script.py"
        path.write_text(self.script, encoding="utf-8")
        return Order(script=path, argv=())

    def read(self, output: ToolOutput, target: Target) -> Reading:
        entries = read_json(output, 0)
        assert isinstance(entries, list)
        return Reading(tuple(bug(entry["message"]) for entry in entries))


@pytest.mark.parametrize(
    ("script", "status", "detail"),
    [
        ("print('[]')", "ok", ""),
        ("print('[1]')", "failed", "has a form that this version does not know (TypeError"),
        ("print('no json')", "failed", "exit code 0: its output is not JSON"),
        ("import sys; print('[]'); print('oh no', file=sys.stderr); sys.exit(3)", "failed", "exit code 3: oh no"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "failed", "ended by signal 11: it said nothing"),
        ("raise SystemExit('it is broken')", "failed", "exit code 1: it is broken"),
        ("x = bytearray(7 * 2**30)", "failed", "exit code 1: MemoryError"),
        ("open('big', 'wb').write(bytes(257 * 2**20))", "failed", ""),
    ],
)  # fmt: skip
async def test_a_tool_that_fails_is_reported_as_such(
    script: str, status: str, detail: str, faults: Path, context: FolderContext
) -> None:
    if "7 *" in script and sys.platform != "linux":
        pytest.skip("only Linux bounds a program's memory")
    review = await review_folder(faults, "code", context, ReviewExecutor((Scripted(script),)))
    assert (review.tools[0].status, review.findings) == (status, ())
    assert detail in review.tools[0].detail
    # Python was not looked at by a tool that failed.
    assert (review.looked_at == ("python",)) is (status == "ok")


async def test_a_failure_does_not_tell_where_the_repository_lies(
    faults: Path, context: FolderContext
) -> None:
    script = f"import sys; sys.exit('cannot read {context.folder}/cache/' + sys.argv[1] + '/a.py')"

    class Telling(Scripted):
        def order(self, target: Target, files: tuple[SourceFile, ...], folder: Path) -> Order:
            return replace(Scripted.order(self, target, files, folder), argv=(target.survey.root.name,))

    review = await review_folder(faults, "code", context, ReviewExecutor((Telling(script),)))
    assert review.tools[0].detail == "exit code 1: cannot read a.py"


async def test_what_a_tool_quotes_is_made_fit_for_a_terminal(faults: Path, context: FolderContext) -> None:
    script = "import json; print(json.dumps([{'message': 'a\\x1b[31mb\\nc' + 'x' * 999}]))"
    message = (
        (await review_folder(faults, "code", context, ReviewExecutor((Scripted(script),))))
        .findings[0]
        .message
    )
    assert message.startswith("a�[31mb�cxxx")
    assert len(message) == 400


async def test_links_of_markdown_files_are_followed(tmp_path: Path, context: FolderContext) -> None:
    folder = make_repository(
        tmp_path / "r",
        {
            "docs/guide.md": (
                "[good](../a.py) [also](other%20file.md#part) ![picture](p.png 'title')\n"
                "[bad](gone.md)\n[web](https://example.org/x) [anchor](#here) [mail](mailto:a@b.c)\n"
                "`[code](no.md)`\n```\n[fenced](no.md)\n```\n[out](../../elsewhere.md) [top](/x.md)\n"
                "![bad](<images/gone.png>)\n"
            ),
            "docs/other file.md": "",
            "docs/p.png": b"\0",
            "a.py": "",
        },
    )
    review = await review_folder(folder, "docs", context)
    assert [(f.path, f.line) for f in found(review, "dead-link")] == [
        ("docs/guide.md", 2),
        ("docs/guide.md", 9),
    ]
    assert "`gone.md`" in found(review, "dead-link")[0].message
    assert len(found(review, "no-readme")) == 1
    assert review.facts["readme"] is False


async def test_a_test_that_asserts_by_way_of_a_helper_asserts(tmp_path: Path, context: FolderContext) -> None:
    folder = make_repository(
        tmp_path / "r",
        {
            "tests/support.py": "def is_right(x):\n    assert x\n\n\ndef seems_right(x):\n    is_right(x)\n",
            "tests/test_a.py": (
                "import unittest\nfrom pytest import raises\nfrom support import seems_right\n\n\n"
                "def test_helper():\n    seems_right(1)\n\n\n"
                "def test_raises():\n    with raises(ValueError):\n        int('x')\n\n\n"
                "class TestCases(unittest.TestCase):\n    def test_equal(self):\n        self.assertEqual(1, 1)\n\n"
                "    def test_mock(self):\n        mock.assert_called_once()\n\n"
                "    async def test_nothing(self):\n        print(1)\n"
            ),
        },
    )
    review = await review_folder(folder, "testing", context)
    assert [f.message.split("`")[1] for f in found(review, "no-assertion")] == ["test_nothing"]
    assert review.facts["test functions"] == 5
    assert review.facts["test classes"] == 1


async def test_every_kind_of_secret_is_found_on_its_line(tmp_path: Path, context: FolderContext) -> None:
    key = (
        "-----BEGIN RSA PRIVATE KEY-----\n"
        + "MIIEpAIBAAKCAQEA7bq98Zx0vGdY2Q1m\n".replace("=", "") * 2
        + "x" * 64
    )
    secrets = {
        "aws.txt": ("filler\n" * 30 + f"id {AWS}\n", "aws-access-key", 31),
        "github.py": ("# filler\n" * 9 + "t = 'ghp_" + "aB3" * 12 + "'\n", "github-token", 10),
        "settings.yaml": ("a: 1\nb:\n  password: hunter2-correct-horse\n", "secret-keyword", 3),
        "url.sh": ("\n\ncurl https://user:pa55word-long@example.org\n", "basic-auth-credentials", 3),
        "key.pem": ("\n" + key + "\n", "private-key", 2),
        "escaped.js": ("const k = '" + key.replace("\n", "\\n") + "';\n", "private-key", 1),
        "slack.go": (f'x\nvar t = "{SLACK}"\n', "slack-token", 2),
    }
    files: dict[str, str | bytes] = {name: text for name, (text, _, _) in secrets.items()}
    files["header.py"] = 'HEADER = "-----BEGIN RSA PRIVATE KEY-----"\n'
    files["pardoned.py"] = 'password = "hunter2-correct-horse"  # pragma: allowlist secret\n'
    files["next.py"] = '# pragma: allowlist nextline secret\npassword = "hunter2-correct-horse"\n'
    files["long.js"] = "x" * 100_000 + f"{AWS}\n"
    review = await review_folder(make_repository(tmp_path / "r", files), "security", context)
    seen = {(f.path, f.rule, f.line) for f in review.findings if f.tool == "detect-secrets"}
    assert seen == {(name, rule, line) for name, (_, rule, line) in secrets.items()}


async def test_a_tool_that_is_not_installed_is_reported_as_such(faults: Path, context: FolderContext) -> None:
    absent = Scripted("print('[]')", name="absent", module="no_such_module")
    review = await review_folder(faults, "code", context, ReviewExecutor((absent,)))
    run = review.tools[0]
    assert (run.status, run.detail) == ("not installed", "install picoclaw-swarm[review] on the node")
    assert context.said == ["absent: not installed (install picoclaw-swarm[review] on the node)"]
    assert not ReviewExecutor((absent,)).readiness("python").ready
    assert "picoclaw-swarm[review]" in ReviewExecutor((absent,)).readiness("code").needs


async def test_a_tool_that_hangs_is_reported_and_the_others_are_heard(
    faults: Path, context: FolderContext
) -> None:
    hung = Scripted("import time; time.sleep(60)", name="hung")
    executor = ReviewExecutor(
        (hung, *(a for a in ANALYZERS if a.name == "ruff")), tool_timeout=timedelta(seconds=1)
    )
    review = await review_folder(faults, "code", context, executor)
    assert tool(review, "hung").status == "timed out"
    assert tool(review, "hung").detail == "ended after 1 s"
    assert found(review, "F821")


async def test_a_cancelled_review_leaves_no_tool_running(faults: Path, context: FolderContext) -> None:
    referred = await refer(str(faults), context.artifacts)
    executor = ReviewExecutor((Scripted("import time; time.sleep(60)"),))
    before = set(psutil.Process().children(recursive=True))
    job = asyncio.create_task(executor.execute(queued_review(referred.repository, "code"), context))

    def tools() -> set[psutil.Process]:
        return set(psutil.Process().children(recursive=True)) - before

    await wait_for_async(tools, 20)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await wait_for_async(lambda: not tools(), 5)


async def test_every_shipped_tool_is_there() -> None:
    """Otherwise the tests above would pass on reviews by nobody."""
    for capability in ("code", "security", "docs", "testing", "python"):
        assert ReviewExecutor().readiness(capability).ready


@pytest.mark.parametrize(
    ("report", "percent"),
    [
        ({"coverage.xml": '<?xml version="1.0"?><coverage line-rate="0.42"><class filename="a.py" line-rate="0.1"/>'
                          '<class filename="gone.py" line-rate="0.1"/></coverage>'}, 42.0),
        ({"coverage.json": '{"totals": {"percent_covered": 42.0}, "files": {"a.py": {"summary": {"percent_covered": 10}}}}'}, 42.0),
    ],
)  # fmt: skip
async def test_a_coverage_report_is_read_as_data(
    report: dict[str, str], percent: float, tmp_path: Path, context: FolderContext
) -> None:
    review = await review_folder(
        make_repository(tmp_path / "r", {"a.py": "x = 1\n", **report}), "testing", context
    )
    assert review.facts["coverage in %"] == percent
    assert [(f.path, f.kind) for f in found(review, "low-coverage")] == [("a.py", "coverage")]


async def test_a_broken_coverage_report_is_reported_as_such(tmp_path: Path, context: FolderContext) -> None:
    folder = make_repository(tmp_path / "r", {"a.py": "x = 1\n", "coverage.json": "{}"})
    assert tool(await review_folder(folder, "testing", context), "coverage report").status == "failed"


async def test_a_url_that_is_no_repository_fails_the_task(context: FolderContext) -> None:
    repository = RepositoryRef(url="file:///etc", commit="0" * 40)
    with pytest.raises(FinalError, match="not fetched"):
        await ReviewExecutor().execute(queued_review(repository, "code"), context)


async def test_a_shell_with_a_literal_command_is_no_high_finding(
    tmp_path: Path, context: FolderContext
) -> None:
    root = make_repository(
        tmp_path / "shell",
        {
            "run.py": '"""Run."""\nimport os\n\nos.system("ls")\n\n\ndef go(x: str) -> None:\n    """Go."""\n    os.system(x)\n'
        },
    )
    review = await review_folder(root, "security", context)
    worst = {finding.line: finding.severity for finding in review.findings if finding.rule == "S605"}
    assert worst == {4: "low", 9: "high"}
