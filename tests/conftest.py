"""Fixtures for every test: a clean environment, real servers, the real command, nothing left running."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from picoclaw.tests.support import figures
from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw, run
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.network import own_network, why_no_namespace
from picoclaw.tests.support.processes import alive, describe, processes_of
from picoclaw.tests.support.waiting import wait_for

# At import, so that nothing under test can have read them before. The second line is what changes how
# output is drawn: width and colour.
PROVIDERS = ("_API_KEY", "_AUTH_TOKEN", "_BASE_URL", "_API_BASE", "OLLAMA_HOST")
for name in [n for n in os.environ if n.startswith("PICOCLAW_") or n.endswith(PROVIDERS)]:
    del os.environ[name]
for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
    os.environ.pop(name, None)

# A run in the background, or under nohup, hands on that these are ignored; what is under test minds them.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# A slow example is no failure on a machine that does other things too; the time-out of the test still holds.
# The same examples each time: what a new one finds is a defect of before, and must not meet whoever changes
# something else. `make search` looks for new ones.
settings.register_profile("project", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("project")

GIT_IDENTITY = "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n"
LEAVING = 15.0
"""Seconds that a drained node or a detached server may take to be gone after its test."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Half as many again as there are processors, as tests mostly wait; none where they would fight over port 4222.

    With more of them time limits pass: starting processes is what takes the time.
    """
    return 0 if why_no_namespace() else max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file that share what it starts in one process, and hand out all else test by test."""
    config.option.loadscopereorder = False  # the order of pytest_collection_modifyitems
    return _Together(config, log) if config.getvalue("dist") == "loadgroup" else None


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if "acceptance/guide/" in file and why_no_namespace():
            return "port 4222 of this machine"
        return file if _shares(self.config.rootpath / file) else nodeid


@cache
def _shares(file: Path) -> bool:
    # Read, as marks do not reach xdist with pytest 9.2 (pytest-dev/pytest-xdist#1386), and fixtures never do.
    return 'scope="module"' in file.read_text(encoding="utf-8")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a parallel run the tests that start processes and those that mostly wait take turns.

    By themselves the first keep every processor busy and the others leave them idle. The short ones come last.
    """
    if not hasattr(config, "workerinput"):
        return
    kinds: dict[str, list[pytest.Item]] = {"starts": [], "waits": [], "": []}
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        kind = "starts" if "acceptance" in marks else "waits" if marks & {"integration", "chaos"} else ""
        kinds[kind].append(item)
    turns = [
        (place / len(kinds[kind]), kind, item)
        for kind in ("starts", "waits")
        for place, item in enumerate(kinds[kind])
    ]
    items[:] = [item for _, _, item in sorted(turns, key=itemgetter(0, 1))] + kinds[""]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Give each process of a parallel run a network of its own, so that ports are nobody else's."""
    if hasattr(session.config, "workerinput"):
        network = ExitStack()
        network.enter_context(own_network())
        session.config.add_cleanup(network.close)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was measured, where a file for it was named (`make chaos`)."""
    if figures.VARIABLE not in os.environ:
        return
    noted = Path(os.environ[figures.VARIABLE])
    for title, lines in {"figures": figures.table(noted), **figures.tables(noted)}.items():
        if lines:
            terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home (but for a git identity) for this test and for each process that it starts."""
    path = tmp_path / "home"
    path.mkdir()
    (path / ".gitconfig").write_text(GIT_IDENTITY, encoding="utf-8")
    monkeypatch.setenv("HOME", str(path))
    for name in [n for n in os.environ if n.startswith(("XDG_", "GIT_"))]:
        monkeypatch.delenv(name)
    return path


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest, home: Path) -> Iterator[None]:
    """Fails an acceptance or chaos test that leaves a process, its own child or one that detached itself."""
    if not any(request.node.get_closest_marker(mark) for mark in ("acceptance", "chaos")):
        yield
        return
    before = set(psutil.Process().children(recursive=True))
    yield

    def left() -> list[psutil.Process]:
        return alive({*psutil.Process().children(recursive=True), *processes_of(home)} - before)

    try:
        wait_for(lambda: not left(), LEAVING)
    except AssertionError:
        remaining = left()
        named = describe(remaining)
        for process in remaining:
            process.kill()
        pytest.fail("\n".join(["left running:", *named]))


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for the whole run; a test that harms it, or needs it empty, starts its own."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def start_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartNats]:
    """Start servers of this test's own; they end with it."""
    servers: list[NatsServer] = []

    def start(*, config: str = "", args: Sequence[str] = (), port: int = -1) -> NatsServer:
        server = NatsServer(tmp_path_factory.mktemp("nats"), config=config, args=args, port=port)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def run_picoclaw(home: Path) -> RunPicoclaw:
    """Run the real command to its end, in this test's home."""
    return partial(run, home)


@pytest.fixture
def spawn_picoclaw(home: Path, nothing_left: None) -> Iterator[SpawnPicoclaw]:
    """Start the real command in the background, in this test's home; it ends with the test."""
    spawned: list[Spawned] = []

    def spawn(
        *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, terminal: bool = False
    ) -> Spawned:
        process = Spawned(home, args, env=env, cwd=cwd, terminal=terminal)
        spawned.append(process)
        return process

    yield spawn
    for process in spawned:
        process.terminate()
    for process in spawned:
        process.close()
