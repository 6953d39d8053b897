"""`picoclaw cron`, and `--at`, `--in` and `--cron` of what sends a request, as typed."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

Connection = tuple[str, ...]
ECHO = "capabilities:\n  greet:\n    description: says hello\n    shell: echo hello\n"
WORKFLOW = """\
name: greeting
title: The greeting
tasks:
  - step: job
    demand: greet
join: step:job
"""


@pytest.fixture(scope="module")
def connection(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A swarm that all tests of this file share: two coordinators and a worker that greets."""
    home = tmp_path_factory.mktemp("cron")
    (home / "greet.yaml").write_text(ECHO, encoding="utf-8")
    told = ("--swarm.hid", f"cron {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)
    worker = ("--swarm.role", "worker", "--swarm.capabilities", "greet", "--capabilities.path")
    nodes = [
        Spawned(home, ("--swarm.role", "coordinator", "--swarm.name", "one", *told)),
        Spawned(home, ("--swarm.role", "coordinator", "--swarm.name", "two", *told)),
        Spawned(home, (*worker, str(home / "greet.yaml"), *told)),
    ]
    try:
        for node in nodes:
            serving(node)
        yield told
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.close()


class Typed:
    """The command with this file's connection."""

    def __init__(self, run: RunPicoclaw, connection: Connection) -> None:
        self._run, self._connection = run, connection

    def __call__(self, *args: str, code: int = 0) -> str:
        ran = self._run(*args, *self._connection)
        assert ran.returncode == code, ran.stderr + ran.stdout
        return ran.stdout if code == 0 else ran.stderr

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "--json"))


@pytest.fixture
def typed(run_picoclaw: RunPicoclaw, connection: Connection) -> Typed:
    return Typed(run_picoclaw, connection)


def test_a_request_for_later_is_listed_and_comes(typed: Typed) -> None:
    request = typed("dispatch", "Greet", "-c", "greet", "--in", "2s").strip()
    (row,) = [one for one in typed.json("get", "requests") if one["id"] == request]
    assert row["state"] != "failed"
    assert json.loads(typed("watch", request, "--json").splitlines()[-1])["state"] == "done"


def test_a_request_for_tomorrow_is_shown_as_such_and_cancelled(typed: Typed) -> None:
    made = typed.json("dispatch", "Greet", "-c", "greet", "--at", "tomorrow 09:00", "--tz", "Asia/Tokyo")
    assert made["new"]
    assert made["scheduled_for"].endswith("T00:00:00.000Z")
    described = typed.json("describe", made["request"])["request"]
    assert described["state"] == "queued"
    assert described["reason"].startswith("scheduled for ")
    assert "cancelled" in typed("cancel", made["request"])
    assert typed.json("describe", made["request"])["request"]["state"] == "cancelled"


def test_who_sends_again_under_a_key_what_is_for_later_is_told_so(
    typed: Typed, connection: Connection, spawn_picoclaw: SpawnPicoclaw
) -> None:
    sent = ("dispatch", "Greet", "-c", "greet", "--key", "kept for later")
    request = typed(*sent, "--in", "1h").strip()
    again = spawn_picoclaw(*sent, *connection)
    again.expect(f"request {request} .sent before: following it", timeout=60)
    again.expect(r"scheduled for .* .in (?:0:5\d|1:00):")
    again.interrupt()
    assert again.wait() == 130
    assert "cancelled" in typed("cancel", request)


def test_what_recurs_is_set_fires_and_is_taken_away_again(typed: Typed) -> None:
    assert "next: " in typed("cron", "create", "often", "@every 1s", "Greet", "-c", "greet")
    assert "unchanged" in typed("cron", "create", "often", "@every 1s", "Greet", "-c", "greet")

    def fired() -> list[dict[str, Any]] | None:
        firings: list[dict[str, Any]] = typed.json("cron", "describe", "often")["firings"]
        return firings if len(firings) >= 2 else None

    firings = wait_for(fired, 30, "two firings")
    assert len({one["request"] for one in firings}) == len(firings)
    assert "often" in typed("cron", "list", "-o", "wide")
    assert typed.json("cron", "disable", "oft") == {"name": "often", "enabled": False, "changed": True}
    assert typed.json("cron", "disable", "often")["changed"] is False
    assert typed.json("cron", "list")[0]["next_at"] is None
    request = typed("cron", "run", "often").strip()
    assert json.loads(typed("watch", request, "--json").splitlines()[-1])["state"] == "done"
    assert typed.json("cron", "describe", "often")["last"]["request"] == request
    assert "enabled; next: " in typed("cron", "enable", "often")
    assert typed.json("cron", "delete", "often") == {"name": "often", "deleted": True}
    assert "no recurring request is called 'often'" in typed("cron", "delete", "often", code=2)


@pytest.mark.long
def test_a_name_in_any_alphabet_and_a_change_of_its_times(typed: Typed) -> None:
    made = typed.json(
        "dispatch",
        "Greet",
        "-c",
        "greet",
        "--cron",
        "30 2 * * 5-7",
        "--name",
        "Nachts um 2 ½ *",
        "--tz",
        "UTC",
    )
    assert (made["name"], made["new"], made["zone"]) == ("Nachts um 2 ½ *", True, "UTC")
    said = typed("cron", "create", "Nachts um 2 ½ *", "@daily", "Greet", "-c", "greet", code=2)
    assert "--replace" in said
    typed("cron", "create", "Nachts um 2 ½ *", "@daily", "Greet", "-c", "greet", "--tz", "UTC", "--replace")
    assert typed.json("cron", "describe", "Nachts")["spec"] == "@daily"
    said = typed("cron", "delete", "Nachts", code=2)  # with the whole one gone it might be another's
    assert "give the whole name, such as 'Nachts um 2 ½ *'" in said
    typed("cron", "delete", "Nachts um 2 ½ *")


@pytest.mark.long
def test_a_workflow_recurs_with_all_that_it_is(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "greeting.yaml"
    file.write_text(WORKFLOW, encoding="utf-8")
    typed("workflows", "run", str(file), "--cron", "15 3 * * *", "--name", "greeting")
    request = typed("cron", "run", "greeting").strip()
    assert json.loads(typed("watch", request, "--json").splitlines()[-1])["state"] == "done"
    typed("cron", "delete", "greeting")
    later = typed("workflows", "run", str(file), "--in", "1s").strip()
    assert json.loads(typed("watch", later, "--json").splitlines()[-1])["state"] == "done"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("dispatch", "x", "-c", "greet", "--at", "2020-01-01 10:00"), "has passed"),
        (("dispatch", "x", "-c", "greet", "--key", "k", "--cron", "@daily", "--name", "n"), "takes no key"),
        (("cron", "create", "n", "0 0 */2 * mon", "x", "-c", "greet"), "programs differ"),
        (("cron", "describe", "nothing"), "see `picoclaw cron list`"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(typed: Typed, args: tuple[str, ...], words: str) -> None:
    assert words in typed(*args, code=2)


def test_a_folder_cannot_recur_and_its_origin_is_named(typed: Typed, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "project", {"a.py": "A = 1\n"})
    said = typed("cron", "create", "n", "@daily", "x", "-c", "greet", "--repo", str(folder), code=2)
    assert "name a git URL with --repo" in said
    assert typed.json("cron", "list") == []


def test_the_next_times_are_shown_without_a_swarm(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("cron", "create", "x", "0 0 29 feb *", "--tz", "UTC", "--dry-run")
    assert ran.stdout.splitlines()[0].endswith("-02-29 00:00 UTC")
