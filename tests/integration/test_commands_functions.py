"""Commands and functions as executors, with a repository, results of other steps, files and secrets."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.executor import Executor
from picoclaw.capabilities.registry import load_executors
from picoclaw.capabilities.removal import remove
from picoclaw.capabilities.repository.reference import refer
from picoclaw.errors import FinalError, RetryableError
from picoclaw.swarm.records import QueuedTask, RepositoryRef, Result, Task
from picoclaw.tests.support.repositories import FolderContext, make_repository, run_git
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]


class Bench:
    """Executors of one definition file, and a context to run them in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = FolderContext(folder)
        self.repository: RepositoryRef | None = None

    def define(self, text: str, module: str = "") -> dict[str, Executor]:
        place = self.folder / "definitions"
        place.mkdir(exist_ok=True)
        (place / "mine.yaml").write_text(text)
        (place / "mine.py").write_text(module)
        return dict(load_executors([place]))

    async def send(self, files: dict[str, str | bytes]) -> Path:
        folder = make_repository(self.folder / "repository", files, git=True)
        self.repository = (await refer(str(folder), self.context.artifacts)).repository
        return folder

    async def run(self, definition: str, module: str = "", **how: Any) -> Result:
        """Run the one capability that is defined, called `mine`."""
        return await self.execute(self.define(f"name: mine\n{definition}\n", module)["mine"], **how)

    async def execute(self, executor: Executor, text: str = "hello", **how: Any) -> Result:
        inputs = how.pop("inputs", {})
        task = Task(
            step="t",
            demand="mine",
            input={"text": text, **how},
            repository=self.repository,
            after=tuple(inputs),
        )
        queued = QueuedTask(request="r-aaaaaaaaaaaaaaaa", task=task, priority=1, queued_seq=1, inputs=inputs)
        return await executor.execute(queued, self.context)

    async def read(self, result: Result, filename: str) -> bytes:
        ref = next(ref for ref in result.artifacts if ref.filename == filename)
        return await self.context.artifacts.get(ref)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# --- commands ---


async def test_a_command_builds_on_what_another_step_returned(bench: Bench) -> None:
    inputs = {"first": Result(summary="one", data={"rows": [{"name": "$(id) `id` ;"}]})}
    definition = (
        'command: [printf, "%s|", "${inputs.first.data.rows.0.name}", "${inputs.first.summary}", "${text}"]'
    )
    assert (await bench.run(definition, inputs=inputs)).data == "$(id) `id` ;|one|hello|"


async def test_a_text_never_gets_into_a_script(bench: Bench) -> None:
    evil = "\"; touch evil; $(touch evil) `touch evil` ' ${IFS}"
    result = await bench.run("shell: |\n  printf '%s' \"$TASK_TEXT\"; ls", text=evil)
    assert result.data == evil


async def test_the_checkout_is_where_it_runs_and_a_missing_one_is_said(bench: Bench) -> None:
    definition = "command: [cat, sub/a.txt]\ndirectory: checkout"
    with pytest.raises(FinalError, match="works in a repository and this task has none: add --repo"):
        await bench.run(definition)
    await bench.send({"sub/a.txt": "content\n"})
    assert (await bench.run(definition)).data == "content"


async def test_a_program_beside_the_definition_is_found_from_anywhere(bench: Bench) -> None:
    executor = bench.define("name: mine\ncommand: [./tool, a]\n")["mine"]
    assert "which is not there" in executor.readiness("mine").needs
    tool = bench.folder / "definitions" / "tool"
    tool.write_text("#!/bin/sh\necho tool $1\n")
    assert "chmod +x" in executor.readiness("mine").needs
    tool.chmod(0o755)
    assert executor.readiness("mine").ready
    assert (await bench.execute(executor)).data == "tool a"


def test_what_a_command_needs_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    executors = bench.define(
        "capabilities:\n"
        "  absent: {command: [no-such-program]}\n"
        "  beside: {command: [sh], needs: [sh, no-such-helper]}\n"
        "  keyed: {command: [sh], env: [FIRST_KEY, SECOND_KEY]}\n"
        "  module: {function: 'no_such_module.inner:f'}\n"
    )
    monkeypatch.setenv("SECOND_KEY", "")
    assert {
        name: executors[name].readiness(name).needs for name in ("absent", "beside", "keyed", "module")
    } == {
        "absent": "needs no-such-program on the PATH: install it, or add its folder to the node's PATH",
        "beside": "needs no-such-helper on the PATH: install it, or add its folder to the node's PATH",
        "keyed": "needs FIRST_KEY, SECOND_KEY: set it in the environment of the node",
        "module": "needs module no_such_module: put no_such_module.py beside the definition, or install it",
    }
    monkeypatch.setenv("FIRST_KEY", "a")
    monkeypatch.setenv("SECOND_KEY", "b")
    assert executors["keyed"].readiness("keyed").ready


async def test_exit_codes_mean_what_the_definition_says(bench: Bench) -> None:
    codes = "exit_codes: {1: done, 75: retry, timeout: retry}"
    assert (await bench.run(f"shell: echo some; exit 1\n{codes}")).data == "some"
    with pytest.raises(RetryableError, match=r"^mine: exit code 75: why$"):
        await bench.run(f"shell: echo why >&2; exit 75\n{codes}")
    with pytest.raises(FinalError, match=r"^mine: exit code 2: it said nothing$"):
        await bench.run(f"shell: exit 2\n{codes}")
    with pytest.raises(RetryableError, match=r"^mine: ended after 500ms: waiting$"):
        await bench.run(f"shell: echo waiting; sleep 600\ntimeout: 500ms\n{codes}")
    with pytest.raises(RetryableError, match="ended by signal 9"):
        await bench.run("shell: kill -9 $$")


async def test_all_of_a_result_and_the_files_that_it_left(bench: Bench) -> None:
    result = await bench.run(
        "shell: echo out; echo err >&2; mkdir -p d; echo 1 > d/a.html; echo 2 > b.txt; ln -s /etc/passwd d/c.html; ln -s /etc e; mkfifo f.html; exit 3\n"
        'exit_codes: {3: done}\nresult: all\nartifacts: ["**/*.html", "*.txt", e/passwd]'
    )
    assert isinstance(result.data, dict)
    assert {**result.data, "seconds": 0} == {"exit_code": 3, "seconds": 0, "stdout": "out", "stderr": "err"}
    assert [ref.filename for ref in result.artifacts] == ["d/a.html", "b.txt"]
    assert result.log == "err"


async def test_a_secret_is_in_nothing_that_comes_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "swordfish")
    await bench.send({"a.txt": "a\n"})
    result = await bench.run(
        "shell: |\n"
        '  echo "50% $MY_TOKEN" >&3; echo "{\\"key\\": \\"$MY_TOKEN\\"}"; echo $MY_TOKEN >&2; echo $MY_TOKEN > left.txt\n'
        "env: [MY_TOKEN]\nresult: json\ndirectory: worktree\nartifacts: [left.txt]"
    )
    bodies = [await bench.context.artifacts.get(ref) for ref in result.artifacts]
    assert result.data == {"key": "***"}
    assert bench.context.said == ["***"]
    assert len(bodies) == 2
    assert b"swordfish" not in result.to_bytes() + b"".join(bodies)
    with pytest.raises(FinalError) as refused:
        await bench.run("shell: echo $MY_TOKEN >&2; exit 1\nenv: [MY_TOKEN]")
    assert str(refused.value) == "mine: exit code 1: ***"


async def test_what_no_argument_can_hold_fails_the_task_in_words(bench: Bench) -> None:
    for text, words in (
        ("nul\0", "argument 1 holds a character"),
        ("x" * 200_000, "argument 1 has 200,000 bytes"),
    ):
        with pytest.raises(FinalError, match=f"{words}.*hand it over by stdin:"):
            await bench.run('command: [echo, "${text}"]', text=text)
    assert (await bench.run("command: [wc, -c]\nstdin: ${text}", text="x" * 200_000)).summary == "200000"


# --- work trees ---


async def test_a_patch_holds_what_was_changed_committed_or_not(bench: Bench) -> None:
    folder = await bench.send(
        {"a.txt": "a\n", "gone.txt": "x\n", "run.sh": "true\n", ".gitignore": "built/\n", "bin": b"\0\1"}
    )
    result = await bench.run(
        "shell: |\n"
        "  set -e\n"
        "  echo b >> a.txt; git commit -qam mine; rm gone.txt; chmod +x run.sh\n"
        "  printf '*.txt filter=evil\\n' > .gitattributes\n"
        "  git config filter.evil.clean 'touch evil'; git config core.fsmonitor 'touch evil; false'\n"
        "  printf '\\000\\002' > bin; mkdir built; echo x > built/x; echo new > new.txt\n"
        "directory: worktree"
    )
    assert result.summary == "6 files changed; changes.patch is for `git apply` on repository as it was sent"
    patch = bench.folder / "changes.patch"
    patch.write_bytes(await bench.read(result, "changes.patch"))
    run_git(folder, "apply", str(patch))
    assert run_git(folder, "status", "--porcelain").splitlines() == [
        "M a.txt", " M bin", " D gone.txt", " M run.sh", "?? .gitattributes", "?? new.txt",
    ]  # fmt: skip
    assert not list(bench.folder.rglob("evil"))


async def test_a_patch_holds_the_files_of_repositories_that_were_made_in_the_tree(bench: Bench) -> None:
    folder = await bench.send({"a.txt": "a\n"})
    result = await bench.run(
        "shell: |\n"
        "  set -e\n"
        "  mkdir -p new deep/er; echo new > new/file; echo er > deep/er/file; git init -q new\n"
        "  cd deep/er; git init -q; git config user.name x; git config user.email x; git add .; git commit -qm x\n"
        "directory: worktree"
    )
    patch = bench.folder / "changes.patch"
    patch.write_bytes(await bench.read(result, "changes.patch"))
    run_git(folder, "apply", str(patch))
    assert (folder / "new" / "file").read_text() + (
        folder / "deep" / "er" / "file"
    ).read_text() == "new\ner\n"


async def test_no_change_is_no_patch_and_each_task_has_a_tree_of_its_own(bench: Bench) -> None:
    await bench.send({"a.txt": "a\n"})
    definition = "shell: cat a.txt; test -e mark || echo fresh; echo x > mark; rm mark\ndirectory: worktree"
    for _ in range(2):
        result = await bench.run(definition)
        assert (result.data, result.artifacts) == ("a\nfresh", ())


# --- functions ---


async def test_a_function_gets_the_repository_and_tells_its_progress(bench: Bench) -> None:
    await bench.send({"a.txt": "a\n"})
    module = (
        "import sys, os\n"
        "async def f(repository, workspace, inputs, progress, depth: int = 1, **rest):\n"
        "    progress('on it', 0.5)\n"
        "    print('printed'); print('wrong', file=sys.stderr)\n"
        "    return {'files': [p.name for p in repository.iterdir()], 'here': os.getcwd() == str(workspace),\n"
        "            'first': inputs['first']['data'], 'depth': depth, 'rest': rest}\n"
    )
    result = await bench.run(
        "function: mine:f", module, depth=3, more="x", inputs={"first": Result(data=[1])}
    )
    assert result.data == {"files": ["a.txt"], "here": True, "first": [1], "depth": 3, "rest": {"more": "x"}}
    assert bench.context.said == ["on it"]
    assert result.log == "printed\nwrong"
    assert not (bench.folder / "definitions" / "__pycache__").exists()


OVERWRITE = "open(__import__('json').load(open(sys.argv[1]))['answer'], 'w').write("


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("raise OSError('no net')", RetryableError, r"mine raised OSError: no net \(mine.py:3 in f\)"),
        ("raise ValueError('bad')", FinalError, "mine raised ValueError: bad"),
        ("sys.exit(3)", FinalError, r"it called exit\(3\) instead of returning"),
        ("print('bye'); sys.stdout.flush(); os._exit(0)", FinalError, r"ended its process \(exit code 0\).*: bye"),
        ("os.abort()", RetryableError, "its process was ended by signal 6"),
        ("return {1, 2}", FinalError, r"what it returned \(set\) has no JSON form"),
        ("return float('nan')", FinalError, r"what it returned \(float\) has no JSON form"),
        ("x = []; x.append(x); return x", FinalError, "has no JSON form: Circular"),
        ("return (yield 1)", FinalError, r"what it returned \(generator\) has no JSON form"),
        ("return 'x' * 40_000_000", FinalError, "it returned 38.1 MB of JSON and 32 MB is the limit"),
        ("time.sleep(600)", FinalError, "ended after 1s"),
        ("while True: print('x' * 10000)", FinalError, "printed more than 64 MB|ended after 1s"),
        ("return {'a': ['\\ud800']}", FinalError, r"what it returned is no JSON that can travel: .*half a char"),
        ("raise type('Odd', (Exception,), {'retry': property(lambda _: 1 / 0)})('o\\ud800')", RetryableError, "Odd: o"),
        ("return f(text)", RetryableError, r"RecursionError: [^(]* \(mine.py:3 in f\)$"),
        ("raise RecursionError('x \\ud800')", RetryableError, r"RecursionError: x \?"),
        (f"{OVERWRITE}'[]'); os._exit(0)", FinalError, "the file of its answer was overwritten"),
        (f"{OVERWRITE}'{{not'); os._exit(0)", FinalError, "mine: what it returned is no JSON"),
        ("pid = os.fork(); pid and (os.waitpid(pid, 0), os._exit(5)); return 'child'", FinalError, r"exit code 5\)"),
        ("pid = os.fork(); pid and os.waitpid(pid, 0); return 'parent' if pid else 'child'", None, "parent"),
        ("os.close(3); os.close(1); os.close(2); return 'fine'", None, "fine"),
        ("threading.Thread(target=time.sleep, args=(600,)).start(); return 'fine'", None, "fine"),
        ("sys.stdout = None; signal.signal(15, signal.SIG_IGN); return 'fine'", None, "fine"),
    ],
)  # fmt: skip
async def test_however_a_function_ends_it_is_said(
    bench: Bench, body: str, kind: type[Exception] | None, words: str
) -> None:
    module = f"import os, signal, sys, threading, time\ndef f(text):\n    {body}\n"
    definition = "function: mine:f\ntimeout: 1s\ngrace: 100ms"
    if kind is None:
        assert (await bench.run(definition.replace("1s", "10s"), module)).data == words
    else:
        with pytest.raises(kind, match=words):
            await bench.run(
                definition.replace("1s", "1s" if "600" in body or "while" in body else "10s"), module
            )


@pytest.mark.parametrize(
    ("definition", "module", "words"),
    [
        ("mine:nothing", "", "mine has no nothing"),
        ("mine:X", "X = 3", "mine:X is a int and cannot be called"),
        ("mine:f", "import no_such_module\ndef f(): pass", "mine cannot be imported: ModuleNotFoundError: No module named"),
        ("mine:f", "def f(:", "mine cannot be imported: SyntaxError"),
        ("mine:f", "def f(size): pass", r"it needs size, which the task does not bring \(there is: .*text"),
        ("mine:C.f", "class C:\n  f = staticmethod(lambda: 1/0)", "mine raised ZeroDivisionError"),
    ],
)  # fmt: skip
async def test_a_function_that_cannot_be_called_is_named(
    bench: Bench, definition: str, module: str, words: str
) -> None:
    with pytest.raises((FinalError, RetryableError), match=words):
        await bench.run(f"function: {definition}", module)


async def test_a_job_that_is_cancelled_ends_its_function(bench: Bench) -> None:
    module = "import time\ndef f(progress):\n    progress('begun')\n    time.sleep(600)\n"
    job = asyncio.create_task(bench.run("function: mine:f\ngrace: 100ms", module))
    await wait_for_async(lambda: bench.context.said, 15)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job


async def test_the_file_of_a_task_holds_all_that_it_brings(bench: Bench) -> None:
    result = await bench.run(
        "shell: cat $TASK_FILE\nresult: json", depth=2, inputs={"a": Result(summary="s")}
    )
    assert isinstance(result.data, dict)
    assert {key: result.data[key] for key in ("text", "input", "inputs", "attempt")} == {
        "text": "hello", "input": {"depth": 2}, "inputs": {"a": {"summary": "s", "data": None}}, "attempt": 1,
    }  # fmt: skip
    assert json.dumps(result.data)


LONG_LIST = "import sys; sys.stdout.write('[' + '1,' * {} + '1]')"


@pytest.mark.parametrize("kind", ["command", "function"])
async def test_large_data_is_stored_without_the_node_reading_it(bench: Bench, kind: str) -> None:
    printing = json.dumps(["python3", "-c", LONG_LIST.format(700_000)])
    command = f"command: {printing}\nresult: json\nsummary: ${{result.0}} is the first"
    function = "function: mine:many\nsummary: ${result.0} is the first"
    result = await bench.run(
        command if kind == "command" else function, "def many():\n    return [1] * 700_001\n"
    )

    assert result.summary == "1 is the first"
    assert result.data is None, "what stands in a result here was parsed here, which stops the heartbeat"
    assert result.ref is not None
    whole = Result.from_bytes(await bench.context.artifacts.get(result.ref))
    assert whole.data == [1] * 700_001
    assert whole.summary == result.summary


async def test_of_large_output_a_small_part_is_a_result_as_any_other(bench: Bench) -> None:
    script = json.dumps(["python3", "-c", 'print(\'{"a": ["\' + \'x\' * 2_000_000 + \'"], "b": {"c": 7}}\')'])
    result = await bench.run(f"command: {script}\nresult: json\nresult_path: b.c")
    assert (result.data, result.ref) == (7, None)
    with pytest.raises(FinalError, match=r"mine: its JSON has no d \(there is: a, b\)"):
        await bench.run(f"command: {script}\nresult: json\nresult_path: d")


async def test_json_beyond_any_result_is_refused_before_it_is_read(bench: Bench) -> None:
    script = json.dumps(["python3", "-c", "import sys; sys.stdout.write('{' * 33_600_000)"])
    with pytest.raises(FinalError, match=r"mine: it returned 32 MB of JSON and 32 MB is the limit"):
        await bench.run(f"command: {script}\nresult: json\noutput_cap: 40MB")


async def test_a_file_whose_name_is_no_text_is_kept_under_its_escaped_name(bench: Bench) -> None:
    result = await bench.run("shell: |\n  printf x > \"$(printf 'a\\377b')\"\nartifacts: ['*']")
    assert [ref.filename for ref in result.artifacts] == ["a\\xffb"]
    assert result.to_bytes()


async def test_artifacts_in_folders_nested_without_end_are_refused_in_a_line(bench: Bench) -> None:
    deep = "import os\nfor _ in range(2000): os.mkdir('deeper'); os.chdir('deeper')"
    script = json.dumps(["python3", "-c", deep])
    with pytest.raises(FinalError, match="nested too deep") as refused:
        await bench.run(f"command: {script}\nartifacts: ['**/*.txt']")
    assert len(str(refused.value)) < 200
    assert remove(bench.folder), "pytest's own removal would call itself too often"
