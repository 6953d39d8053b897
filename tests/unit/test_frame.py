"""A frame fits its terminal: no line is wider, none is over, what does not fit is cut with … or counted."""

from dataclasses import replace

import pytest
from rich.cells import cell_len

from picoclaw.cli.dashboard.frame import cut, for_encoding, frame
from picoclaw.cli.dashboard.panel import panel_text
from picoclaw.swarm.views.dashboard import Connection, Panel, statistics
from picoclaw.swarm.views.nodes import NodeRow

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]


def panel(count: int) -> Panel:
    nodes = tuple(
        NodeRow(
            name=f"claw-{number:04}",
            role="worker" if number else "coordinator",
            status="online",
            slots=5,
            heard_s=1.0,
        )
        for number in range(count)
    )
    return Panel(
        this=nodes[0] if nodes else None,
        nats=Connection(ok=True, detail="nats://a-server-with-a-long-name.example.org:4222"),
        temporal=Connection(ok=False, detail="(not configured)"),
        statistics=statistics(nodes),
        nodes=nodes,
    )


@pytest.mark.parametrize("columns", [1, 2, 20, 40, 61, 62, 80, 200])
@pytest.mark.parametrize("lines", [1, 2, 10, 20, 24, 60])
@pytest.mark.parametrize("count", [0, 1, 5, 1000])
def test_it_is_never_wider_or_longer_than_the_terminal(columns: int, lines: int, count: int) -> None:
    drawn = frame(panel(count), columns, lines, foot="q or Ctrl-C ends this view.")

    assert len(drawn) <= lines
    assert max(map(cell_len, drawn)) <= columns


def test_with_room_for_all_it_is_the_panel_as_it_is_printed() -> None:
    drawn = frame(panel(5), 80, 40, foot="the end")

    assert "\n".join(drawn[:-1]).rstrip() == panel_text(panel(5))
    assert drawn[-1] == "the end"


def test_what_to_do_without_a_node_here_and_why_it_is_stale_is_wrapped_by_words() -> None:
    drawn = frame(
        panel(0),
        40,
        30,
        foot="stale: " + "word " * 100,
        none_here="none: start one with a command of many words",
    )

    at = drawn.index("【This Node】")
    assert drawn[at + 1 : at + 3] == ["  none: start one with a command of many", "  words"]
    assert [line.split()[0] for line in drawn[-3:]] == ["stale:", "word", "word"]
    assert drawn[-1].endswith("…")


def test_nodes_that_do_not_fit_are_counted() -> None:
    drawn = frame(panel(100), 80, 24, foot="the end")
    shown = [line for line in drawn if "claw-" in line and "●" in line and "online" in line]

    assert drawn[-2] == f"  … and {100 - len(shown)} more"
    assert len(shown) >= 5
    assert drawn[0].startswith("╔")


def test_the_box_gives_way_to_a_title_where_it_does_not_fit() -> None:
    assert frame(panel(2), 61, 40)[0] == "PicoClaw Swarm Status Dashboard"
    assert frame(panel(9), 80, 20)[0] == "PicoClaw Swarm Status Dashboard"
    assert frame(panel(2), 62, 40)[0].startswith("╔")


def test_a_cut_line_keeps_its_colours_and_ends_them() -> None:
    assert cut("\x1b[32m● online\x1b[0m and more", 9) == "\x1b[32m● online\x1b[0m…"
    assert cut("\x1b[32m● online\x1b[0m", 4) == "\x1b[32m● o…\x1b[0m"
    assert cut("【Nodes】", 3) == "【…"
    assert cut("short", 5) == "short"


def test_a_long_name_leaves_room_for_the_load() -> None:
    wide = panel(1)
    wide = replace(wide, nodes=(replace(wide.nodes[0], name="n" * 60),))

    row = next(line for line in frame(wide, 80, 40) if "nnn" in line and "●" in line)
    assert row.endswith("(0/5)")


def test_a_terminal_without_the_signs_gets_the_nearest_ones() -> None:
    assert for_encoding("╔══╗ ● [██░] ✓ …", "ascii") == "+==+ * [##-] + ~"
    assert for_encoding("╔══╗", "utf-8") == "╔══╗"
    assert for_encoding("x", "no-such-encoding") == "x"
