"""What the checks say of an account, its streams and nodes, by their answers alone."""

from typing import Any

import pytest

from picoclaw.swarm.checks.account import Store, account_row, hid_rows, readable, store_rows
from picoclaw.swarm.checks.members import clock_row, member_rows
from picoclaw.swarm.checks.row import failed_with
from picoclaw.swarm.membership.liveness import NodeStatus
from picoclaw.swarm.streams import Limits, stream_configs
from picoclaw.swarm.subjects import Names
from picoclaw.swarm.views.nodes import Around, NodeRow

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

NAMES = Names("blue")


def streams(**changes: dict[str, Any]) -> Store:
    """The streams as a node makes them, but for what `changes` says of a kind such as LOG."""
    found = {}
    for config in stream_configs(NAMES, replicas=1, limits=Limits()):
        name = config["name"]
        info: dict[str, Any] = {"config": dict(config), "state": {"bytes": 10}}
        for kind, change in changes.items():
            if f"_{kind}_" in name:
                info["config"] |= change.get("config", {})
                info |= {key: value for key, value in change.items() if key != "config"}
        found[name] = info
    return Store(found)


def said(rows: list[Any]) -> list[tuple[str, str]]:
    return [(row.name, row.status) for row in rows]


def node(name: str, status: NodeStatus = "online", **given: Any) -> NodeRow:
    return NodeRow(name=name, role=given.pop("role", "worker"), status=status, slots=5, heard_s=3.0, **given)


@pytest.mark.parametrize(
    ("used", "status"), [(0, "ok"), (749, "ok"), (750, "warning"), (949, "warning"), (950, "failed")]
)
def test_a_limit_of_the_account_that_is_nearly_used_up(used: int, status: str) -> None:
    row = account_row({"storage": used, "streams": 3, "limits": {"max_storage": 1000, "max_streams": -1}})

    assert row.status == status
    assert "streams 3 of unlimited" in row.detail
    assert (status == "ok") == (row.fix == "")


def test_streams_as_they_are_made_are_well() -> None:
    assert said(store_rows(streams(), NAMES)) == [("streams", "ok"), ("log", "ok"), ("store", "ok")]


@pytest.mark.parametrize(("bytes_", "status"), [(0.5, "ok"), (0.8, "warning"), (0.9, "failed")])
def test_the_log_fills_up_to_where_requests_are_refused(bytes_: float, status: str) -> None:
    rows = store_rows(streams(LOG={"state": {"bytes": int(bytes_ * (1 << 30)) + 1}}), NAMES)

    assert [row.status for row in rows if row.name == "log"] == [status]


def test_streams_that_are_not_what_they_should_be() -> None:
    turned = streams(TASKS={"config": {"retention": "limits"}}, REQUESTS={"config": {"discard": "new"}})
    newer = streams(LOG={"config": {"metadata": {"picoclaw-store-version": "99"}}})
    torn = streams(
        LOG={"cluster": {"leader": ""}},
        TASKS={"cluster": {"leader": "a", "replicas": [{"name": "b", "offline": True}]}},
    )

    assert said(store_rows(turned, NAMES))[:2] == [("streams", "failed"), ("streams", "warning")]
    assert said(store_rows(newer, NAMES))[-1] == ("store", "failed")
    assert said(store_rows(torn, NAMES))[:2] == [("streams", "failed"), ("streams", "warning")]


def test_a_cluster_without_a_leader_with_a_server_away_or_with_too_few_servers() -> None:
    whole = {"leader": "n0", "replicas": [{"name": "n1"}, {"name": "n2"}]}
    away = {"leader": "n0", "replicas": [{"name": "n1"}, {"name": "n2", "offline": True}]}
    three = {"num_replicas": 3}

    def rows(cluster: dict[str, Any]) -> list[tuple[str, str, str]]:
        found = store_rows(streams(LOG={"config": three, "cluster": cluster}), NAMES)
        return [(row.status, row.detail, row.fix) for row in found if row.name == "streams"]

    assert [status for status, *_ in rows(whole)] == ["ok"]
    ((status, detail, fix),) = rows({"leader": "n0", "replicas": [{"name": "n1"}]})
    assert (status, "(2 of 3)" in detail, "add a server" in fix) == ("warning", True, True)
    assert [(status, "server n2" in detail) for status, detail, _ in rows(away)] == [("warning", True)]
    assert rows({"replicas": whole["replicas"]})[0][0] == "failed"


def test_the_h_id_in_use_and_the_others() -> None:
    others = Store({**streams().streams, **{f"PICOCLAW_LOG_{Names(hid).slug}": {} for hid in ("green", "Ü")}})

    assert said(hid_rows(others, "blue", given="")) == [("H-id", "ok"), ("other H-ids", "ok")]
    assert said(hid_rows(others, "red", given="flag --swarm.hid")) == [("H-id", "failed")]
    assert said(hid_rows(Store({}), None, given="")) == [("H-id", "warning")]
    assert readable(Names("green").slug) == "green"
    assert "on the wire" in readable(Names("Ü").slug)


def test_nodes_that_are_late_twice_there_of_several_versions_or_without_a_coordinator() -> None:
    well = Around(nodes=(node("a", role="coordinator"), node("b")), now=0.0)
    odd = Around(
        nodes=(
            node("a", "suspicious", why="it does not answer"),
            node("b", version="1"),
            node("c", version="2"),
        ),
        now=0.0,
    )

    assert {row.status for row in member_rows(well, {"a": 1, "b": 1})} == {"ok"}
    rows = {row.name: row for row in member_rows(odd, {"b": 2})}
    assert {name for name, row in rows.items() if row.status == "warning"} == {
        "names", "heartbeats", "versions", "coordinators",
    }  # fmt: skip
    assert "several processes answer as b" in rows["names"].detail
    assert said(member_rows(Around(now=0.0), {})) == [("nodes", "warning")]


def test_who_coordinates_and_whether_it_was_promoted() -> None:
    nodes = (node("a", role="coordinator"), node("b", leads=True), node("c"))
    rows = {row.name: row for row in member_rows(Around(nodes=nodes, now=0.0), {})}
    assert rows["coordinators"].detail == "2 alive: a, b (promoted)"


def test_a_node_that_offers_what_it_lacks() -> None:
    around = Around(nodes=(node("a", not_ready={"shell": "needs shellcheck on the PATH"}),), now=0.0)

    assert ("capabilities", "warning") in said(member_rows(around, {}))


def test_clocks_that_differ() -> None:
    assert clock_row(100.0, 101.0).status == "ok"
    assert "60 s behind" in clock_row(160.0, 100.0).detail


def test_an_errors_advice_becomes_the_fix() -> None:
    row = failed_with("auth", "the NATS server at nats://h:4222 refused these credentials: check them")

    assert (row.detail, row.fix) == (
        "the NATS server at nats://h:4222 refused these credentials",
        "check them",
    )


def test_a_command_in_the_message_is_not_torn() -> None:
    row = failed_with("jetstream", "JetStream is off (as: it was): enable it (`jetstream: enabled` there)")

    assert (row.detail, row.fix) == (
        "JetStream is off (as: it was)",
        "enable it (`jetstream: enabled` there)",
    )
