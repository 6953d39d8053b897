"""The live dashboard at a real terminal, by what stands on its screen and what it leaves behind."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil
import pytest
from pyte import modes

from picoclaw.swarm.embedded.rundir import record_path, run_dir
from picoclaw.tests.support.command import SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import QUICK, serving
from picoclaw.tests.support.screen import Terminal
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

ENDS = "q or Ctrl-C ends this view."


class AtTerminal(Protocol):
    def __call__(
        self, *args: str, columns: int = 80, lines: int = 24, env: dict[str, str] | None = None
    ) -> Terminal: ...


@pytest.fixture
def at_terminal(home: Path, nothing_left: None) -> Iterator[AtTerminal]:
    """Start the command at a terminal of its own; both end with the test."""
    begun: list[Terminal] = []

    def start(*args: str, columns: int = 80, lines: int = 24, env: dict[str, str] | None = None) -> Terminal:
        begun.append(Terminal(home, *args, columns=columns, lines=lines, env=env))
        return begun[-1]

    yield start
    for terminal in begun:
        terminal.close()


def assert_given_back(terminal: Terminal) -> None:
    """The terminal is as it was: echo and line mode, cursor, wrapping, the main screen."""
    assert terminal.modes == terminal.modes_before
    assert {modes.DECTCEM, modes.DECAWM} <= terminal.screen.mode
    assert terminal.raw.count(b"\x1b[?1049h") == terminal.raw.count(b"\x1b[?1049l") > 0
    assert terminal.scrolled == 0


def test_it_is_drawn_in_place_fits_each_size_and_outlives_its_server(
    at_terminal: AtTerminal, spawn_picoclaw: SpawnPicoclaw, start_nats: StartNats
) -> None:
    server = start_nats()
    where = ("--swarm.nats.urls", server.url)
    for role, name in (("coordinator", "claw-coord-01"), ("worker", "claw-work-01")):
        serving(spawn_picoclaw("--swarm.role", role, "--swarm.name", name, *QUICK, *where))
    terminal = at_terminal("--swarm.dashboard", "--node", "claw-work", *where)

    terminal.until("2 total, 2 online, 0 offline")
    rows = terminal.rows
    assert rows[0] == "╔════════════════════════════════════════════════════════════╗"
    assert rows[rows.index("【This Node】") + 1] == "  ID:    claw-work-01"
    assert rows[rows.index("【Connections】") + 1] == f"  NATS:     ✓ Yes {server.url}"
    at = rows.index("【Discovered Nodes】")
    assert rows[at + 1 : at + 3] == [
        "  ● claw-coord-01          C online    [░░░░░░░░░] 0% (0/5)",
        "  ● claw-work-01           W online    [░░░░░░░░░] 0% (0/5)",
    ]
    assert rows[-1] == ENDS

    terminal.resize(40, 20)
    terminal.until("PicoClaw Swarm Status Dashboard")
    terminal.until("  Nodes:      2 total, 2 online, 0 offl…")
    assert terminal.rows[-1] == ENDS
    terminal.resize(80, 24)
    terminal.until("╔═══")
    drawn = len(terminal.raw)
    terminal.resize(79, 24)
    wait_for(lambda: b"\x1b[2J" in terminal.raw[drawn:], 10, "a frame for the new width, drawn whole")

    server.kill()
    stale = terminal.until("stale: last heard", 10)
    assert "NATS is away" in stale
    assert terminal.row("NATS: ") == f"  NATS:     ✗ No {server.url}"
    assert terminal.row("● claw-work-01"), "what was known last is still shown"
    wait_for(lambda: terminal.row("stale") not in ("", stale), 10, "the seconds count on")
    server.start()
    terminal.until(ENDS, 15)
    terminal.until("2 total, 2 online, 0 offline")
    assert terminal.row("NATS: ") == f"  NATS:     ✓ Yes {server.url}"

    terminal.type("q")
    assert terminal.wait() == 0
    assert_given_back(terminal)

    dumb = at_terminal("--swarm.dashboard", *where, columns=100, lines=40, env={"TERM": "dumb"})
    assert dumb.wait() == 0
    assert b"\x1b[?" not in dumb.raw
    assert dumb.row("2 total, 2 online")
    plain = at_terminal("--swarm.dashboard", *where, env={"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"})
    plain.until("* claw-coord-01          C online    [---------] 0% (0/5)")
    assert plain.row("[Discovered Nodes]")
    assert not re.search(rb"\x1b\[\d+m", plain.raw.replace(b"\x1b[0m", b""))
    plain.type("q")
    assert plain.wait() == 0
    nobody = at_terminal("--swarm.dashboard", "--node", "nobody", *where)
    assert nobody.wait() == 2
    assert nobody.row("picoclaw: error: no node")
    assert nobody.modes == nobody.modes_before


@pytest.mark.parametrize(
    ("end", "code"), [("\x03", 0), ("Q", 0), (signal.SIGTERM, 143), (signal.SIGHUP, 143)], ids=str
)
def test_without_a_server_it_waits_and_however_it_ends_the_terminal_is_given_back(
    at_terminal: AtTerminal, end: str | signal.Signals, code: int
) -> None:
    terminal = at_terminal("--swarm.dashboard", "--swarm.nats.urls", "nats://127.0.0.1:1")
    waiting = terminal.until("waiting: no NATS server answers at nats://127.0.0.1:1")
    assert waiting
    assert terminal.modes != terminal.modes_before, "keys come one by one"

    if isinstance(end, str):
        terminal.type(end)
    else:
        terminal.signal(end)

    assert terminal.wait() == code
    assert_given_back(terminal)


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(at_terminal: AtTerminal) -> None:
    terminal = at_terminal("--swarm.dashboard", "--swarm.nats.urls", "nats://127.0.0.1:1")
    terminal.until("waiting: no NATS server answers")

    terminal.signal(signal.SIGTSTP)
    process = psutil.Process(terminal.pid)
    wait_for(lambda: process.status() == psutil.STATUS_STOPPED, 10)
    assert terminal.modes == terminal.modes_before
    terminal.signal(signal.SIGCONT)
    wait_for(lambda: terminal.modes != terminal.modes_before, 10)
    terminal.type("q")

    assert terminal.wait() == 0
    assert_given_back(terminal)


@pytest.mark.long
def test_it_finds_the_shared_server_when_it_comes_and_when_it_comes_back_elsewhere(
    at_terminal: AtTerminal, spawn_picoclaw: SpawnPicoclaw, home: Path
) -> None:
    terminal = at_terminal("--swarm.dashboard", "--swarm.nats.embedded")
    terminal.until("waiting:")
    embedded = ("--swarm.nats.embedded", *QUICK)
    first = serving(spawn_picoclaw("--swarm.role", "worker", "--swarm.name", "claw-first", *embedded))
    terminal.until("● claw-first")
    terminal.until("ID:    claw-first")
    before = terminal.row("NATS: ").split()[-1]

    record = json.loads(record_path(run_dir(home / ".picoclaw")).read_text(encoding="utf-8"))
    first.kill9()
    os.kill(record["pid"], signal.SIGKILL)
    terminal.until("stale", 10)
    with socket.create_server(("127.0.0.1", int(before.rpartition(":")[2]))):
        serving(spawn_picoclaw("--swarm.role", "worker", "--swarm.name", "claw-second", *embedded))
        terminal.until("● claw-second", 20)
        after = terminal.row("NATS: ").split()[-1]

    assert after != before
    terminal.until("ID:    claw-second")
    terminal.type("q")
    assert terminal.wait() == 0
