"""The dashboard's panel equals the guide's, line by line, for the guide's five nodes."""

import re
from dataclasses import replace

import pytest

from picoclaw.cli.dashboard.panel import load, panel_text, uptime
from picoclaw.swarm.membership.liveness import NodeStatus
from picoclaw.swarm.views.dashboard import Connection, Panel, filled_cells, statistics, this_node
from picoclaw.swarm.views.nodes import NodeRow

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

GUIDE = """\
╔════════════════════════════════════════════════════════════╗
║           PicoClaw Swarm Status Dashboard                  ║
╚════════════════════════════════════════════════════════════╝

【This Node】
  ID:    claw-a1b2c3d4
  Role:  ⚙️ worker
  Status: ● online
  Load:  [████░░░░░] 40% (2/5)
  Uptime: 2h15m

【Connections】
  NATS:     ✓ Yes nats://localhost:4222
  Temporal: ✓ Yes

【Swarm Statistics】
  Nodes:      5 total, 5 online, 0 offline
  Roles:      1 coordinator(s), 4 worker(s), 0 specialist(s)
  Capacity:   9/25 tasks used

【Discovered Nodes】
  ● claw-coord-01          C online    [██░░░░░░░] 20% (1/5)
  ● claw-a1b2c3d4          W online    [████░░░░░] 40% (2/5)
  ● claw-e5f6g7h8          W online    [████░░░░░] 40% (2/5)
  ● claw-i9j0k1l2          W busy      [█████░░░░] 60% (3/5)
  ● claw-m3n4o5p6          W online    [██░░░░░░░] 20% (1/5)"""
"""As in the guide but for the capacity: its five rows sum to 9, its header says 8."""


def node(
    name: str, used: int, *, role: str = "worker", status: NodeStatus = "online", slots: int = 5
) -> NodeRow:
    return NodeRow(
        name=name,
        role=role,
        status=status,
        tasks=tuple(f"r-x.{number}" for number in range(used)),
        slots=slots,
        heard_s=1.0,
        uptime_s=2 * 3600 + 15 * 60 + 59,
        pid=sum(map(ord, name)),
    )


NODES = (
    node("claw-coord-01", 1, role="coordinator"),
    node("claw-a1b2c3d4", 2),
    node("claw-e5f6g7h8", 2),
    node("claw-i9j0k1l2", 3, status="busy"),
    node("claw-m3n4o5p6", 1),
)


def panel(*nodes: NodeRow, this: NodeRow | None = None) -> Panel:
    return Panel(
        this=this,
        nats=Connection(ok=True, detail="nats://localhost:4222"),
        temporal=Connection(ok=True, detail=""),
        statistics=statistics(nodes),
        nodes=nodes,
    )


def test_it_is_the_guides_panel() -> None:
    assert panel_text(panel(*NODES, this=NODES[1])) == GUIDE


def test_without_a_node_of_this_machine_it_says_so_and_still_shows_the_swarm() -> None:
    text = panel_text(panel(*NODES), none_here="none here")

    assert "【This Node】\n  none here\n" in text
    assert "5 total" in text


def test_every_node_counts_once_whatever_its_status() -> None:
    counted = statistics(
        [
            *NODES,
            node("claw-slow", 1, status="suspicious"),
            node("claw-last", 1, status="draining"),
            node("claw-gone", 0, status="offline", role="specialist", slots=50),
        ]
    )

    assert (counted.total, counted.online, counted.offline) == (8, 7, 1)
    assert (counted.coordinators, counted.workers, counted.specialists) == (1, 6, 0)
    assert (counted.used, counted.slots) == (11, 35)


def test_those_that_are_gone_come_last_and_a_swarm_without_a_coordinator_says_so() -> None:
    text = panel_text(panel(node("a-gone", 0, status="offline", role="coordinator"), node("b", 1)))

    assert text.index(" b ") < text.index("a-gone")
    assert "0 coordinator(s), 1 worker(s)" in text
    assert "No coordinator is alive" in text


def test_it_shows_who_leads_where_that_is_no_coordinator_and_who_soon_may() -> None:
    led = replace(node("hand", 1), leads=True, promotable=True)
    text = panel_text(panel(led, node("other", 1), this=led))

    assert "  Leads:      hand (promoted)\n" in text
    assert "  Role:  ⚙️ worker, leads\n" in text
    assert re.search(r"● hand +C online", text)
    assert "No coordinator" not in text
    waiting = panel_text(panel(replace(led, leads=False)))
    assert "No coordinator is alive: requests wait until a worker takes the role." in waiting
    assert "Leads:" not in panel_text(panel(*NODES))


def test_it_says_that_agents_wait_for_people_and_where_that_is_answered() -> None:
    assert "Approvals" not in panel_text(panel(*NODES))
    assert "  Approvals:  1 question waits for an answer: picoclaw approvals\n" in panel_text(
        replace(panel(*NODES), asks=1)
    )
    assert "2 questions wait for an answer" in panel_text(replace(panel(*NODES), asks=2))


def test_a_long_status_or_name_keeps_the_bars_in_one_column() -> None:
    rows = panel_text(panel(node("n" * 30, 0, status="suspicious"), node("b", 5))).splitlines()[-2:]

    assert {row.index("[") for row in rows} == {rows[0].index("[")}
    assert rows[0].startswith("  ◐ nnn")


@pytest.mark.parametrize(
    ("used", "slots", "cells"),
    [(0, 5, 0), (1, 5, 2), (2, 5, 4), (3, 5, 5), (4, 5, 7), (5, 5, 9), (9, 5, 9), (1, 2, 5), (0, 0, 0)],
)
def test_the_bar_has_nine_cells_rounded(used: int, slots: int, cells: int) -> None:
    assert filled_cells(used, slots) == cells
    assert load(node("x", used, slots=slots)).count("█") == cells


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h0m"),
        (8159, "2h15m"),
        (270_000, "3d3h"),
    ],
)
def test_uptime(seconds: float, text: str) -> None:
    assert uptime(seconds) == text


def test_this_node_is_the_one_of_this_machine_that_has_run_longest() -> None:
    old, young = replace(NODES[1], uptime_s=100), replace(NODES[2], uptime_s=10)
    elsewhere = replace(NODES[3], uptime_s=1000)
    here = {(old.name, old.pid), (young.name, young.pid), (elsewhere.name, elsewhere.pid + 1)}

    assert this_node([young, old, elsewhere], here) == old
    assert this_node([young, old, elsewhere], set()) is None


def test_a_name_cannot_act_on_the_terminal() -> None:
    assert "\x1b" not in panel_text(panel(node("x\x1b[2Jy", 0)))
