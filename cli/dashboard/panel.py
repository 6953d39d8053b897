"""The dashboard's panel as text, field for field as the guide shows it. Pure."""

from collections.abc import Callable

from ...swarm.views.dashboard import CELLS, Connection, Panel, filled_cells
from ...swarm.views.nodes import NodeRow

HEADER = (
    "╔════════════════════════════════════════════════════════════╗",
    "║           PicoClaw Swarm Status Dashboard                  ║",
    "╚════════════════════════════════════════════════════════════╝",
)
ROLES = {"coordinator": "📋", "worker": "⚙️", "specialist": "🔧"}
STATUSES = {"online": "●", "busy": "●", "draining": "◌", "suspicious": "◐", "offline": "○"}
NAME_WIDTH = 22
STATUS_WIDTH = 9
LONGEST_NAME = 48

Paint = Callable[[str, str], str]
"""Colours a text by the status that it tells."""


def plain(text: str, _: str) -> str:
    """Return the text as it is."""
    return text


def panel_text(panel: Panel, *, paint: Paint = plain, none_here: str = "") -> str:
    """Return the panel; `none_here` says what to do where no node of this machine is shown."""
    return "\n\n".join("\n".join(part) for part in sections(panel, paint=paint, none_here=none_here))


def sections(
    panel: Panel, *, paint: Paint = plain, none_here: str = "", longest_name: int = LONGEST_NAME
) -> list[list[str]]:
    """Return the panel's parts, each with its lines: the header first, the nodes last."""
    this = _this(panel.this, paint) if panel.this is not None else [f"  {none_here}"]
    return [
        list(HEADER),
        ["【This Node】", *this],
        [
            "【Connections】",
            f"  NATS:     {_yes_no(panel.nats, paint)}",
            f"  Temporal: {_yes_no(panel.temporal, paint)}",
        ],
        ["【Swarm Statistics】", *_statistics(panel)],
        ["【Discovered Nodes】", *_nodes(panel, paint, longest_name)],
    ]


def _this(row: NodeRow, paint: Paint) -> list[str]:
    status = f"{STATUSES.get(row.status, '?')} {row.status}"
    return [
        f"  ID:    {name_of(row, LONGEST_NAME)}",
        f"  Role:  {ROLES.get(row.role, '?')} {row.role}{', leads' if row.promoted else ''}",
        f"  Status: {paint(status, row.status)}",
        f"  Load:  {load(row, paint)}",
        f"  Uptime: {uptime(row.uptime_s)}",
    ]


def _yes_no(connection: Connection, paint: Paint) -> str:
    word = paint("✓ Yes", "online") if connection.ok else paint("✗ No", "offline")
    return f"{word} {connection.detail}".rstrip()


def _statistics(panel: Panel) -> list[str]:
    counted = panel.statistics
    workers = f"{counted.workers} worker(s), {counted.specialists} specialist(s)"
    return [
        f"  Nodes:      {counted.total} total, {counted.online} online, {counted.offline} offline",
        f"  Roles:      {counted.coordinators} coordinator(s), {workers}",
        *_who_leads(panel),
        f"  Capacity:   {counted.used}/{counted.slots} tasks used",
        *_asks(panel),
    ]


def _asks(panel: Panel) -> list[str]:
    """Return a line where agents wait for people."""
    if not panel.asks:
        return []
    one = "1 question waits" if panel.asks == 1 else f"{panel.asks} questions wait"
    return [f"  Approvals:  {one} for an answer: picoclaw approvals"]


def _who_leads(panel: Panel) -> list[str]:
    """Return a line where it is no coordinator that leads, or nobody at all."""
    counted = panel.statistics
    if counted.promoted:
        return [f"  Leads:      {clean_name(name, LONGEST_NAME)} (promoted)" for name in counted.promoted]
    if not counted.online or counted.coordinators:
        return []
    if any(row.promotable and row.lives for row in panel.nodes):
        return ["  No coordinator is alive: requests wait until a worker takes the role."]
    return ["  No coordinator is alive: requests wait."]


def _nodes(panel: Panel, paint: Paint, longest_name: int) -> list[str]:
    # Where not all fit it is the last ones that are left out.
    rows = sorted(panel.nodes, key=lambda row: row.status == "offline")
    names = [name_of(row, longest_name) for row in rows]
    width = max([min(NAME_WIDTH, longest_name), *map(len, names)])
    status_width = max([STATUS_WIDTH, *(len(row.status) for row in rows)])
    return [
        f"  {paint(STATUSES.get(row.status, '?'), row.status)} {name:<{width}} {_letter(row)} "
        f"{paint(row.status.ljust(status_width), row.status)} {load(row, paint)}"
        for row, name in zip(rows, names, strict=True)
    ] or ["  none"]


def _letter(row: NodeRow) -> str:
    """Return the role's letter; of one that was promoted, that of the role which it took."""
    return "C" if row.promoted else row.role[:1].upper() or "?"


def name_of(row: NodeRow, longest: int) -> str:
    """Return a node's name, without what would act on a terminal."""
    return clean_name(row.name, longest)


def clean_name(name: str, longest: int) -> str:
    """Return a name without what would act on a terminal."""
    from ...roles.synthesis.markdown import clean

    return clean(name, longest)


def load(row: NodeRow, paint: Paint = plain) -> str:
    """Return the bar, the share and the count: `[████░░░░░] 40% (2/5)`."""
    cells = filled_cells(row.used, row.slots)
    share = int(row.used / row.slots * 100 + 0.5) if row.slots > 0 else 0
    bar = paint("█" * cells, "busy" if row.status == "busy" else "online") if cells else ""
    return f"[{bar}{'░' * (CELLS - cells)}] {share}% ({row.used}/{row.slots})"


def uptime(seconds: float) -> str:
    """Return `42s`, `3m`, `2h15m` or `4d3h`."""
    from ..printing.output import age

    return age(seconds)
