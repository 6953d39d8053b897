"""`picoclaw doctor` on a machine with this and that amiss; it starts nothing and shows no secret."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from picoclaw.tests.support.command import PICOCLAW, RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import serving

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

NOWHERE = ("--swarm.nats.urls", "nats://127.0.0.1:1")
PATH = {"PATH": f"{PICOCLAW.parent}{os.pathsep}{os.environ['PATH']}"}


def doctor(run: RunPicoclaw, *args: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Its exit code and its rows, by name (of several of one name the gravest)."""
    ran = run("doctor", "--json", *args, env={**PATH, **(env or {})})
    assert ran.stderr == "", ran.stderr
    rows: dict[str, Any] = {}
    for row in json.loads(ran.stdout)["checks"]:
        assert row["fix"] or row["status"] == "ok", row
        if rows.get(row["name"], {"status": "ok"})["status"] == "ok":
            rows[row["name"]] = row
    return ran.returncode, rows


def test_a_fresh_machine_is_well_but_for_the_server_and_nothing_is_made(
    run_picoclaw: RunPicoclaw, home: Path
) -> None:
    code, rows = doctor(run_picoclaw, *NOWHERE)

    assert code == 3
    assert rows.pop("connect")["status"] == "failed"
    optional = {"disk", "open files", "picoclaw", "git"}  # as this machine has them
    assert {name: row for name, row in rows.items() if row["status"] != "ok" and name not in optional} == {}
    assert {"python", "nats-server", "config", "home", "workflow files", "capabilities", "tool ruff"} <= set(
        rows
    )
    assert not (home / ".picoclaw").exists()


def test_everything_is_well_beside_a_swarm_on_this_machine(
    run_picoclaw: RunPicoclaw, spawn_picoclaw: SpawnPicoclaw, start_nats: StartNats
) -> None:
    where = ("--swarm.nats.urls", start_nats().url)
    serving(spawn_picoclaw("--swarm.role", "coordinator", "--swarm.name", "claw-here", *where))

    code, rows = doctor(run_picoclaw, *where)
    lines = run_picoclaw("doctor", *where, env=PATH)

    assert code == lines.returncode == 0
    assert "claw-here (coordinator" in rows["nodes here"]["detail"]
    assert "1 alive: claw-here" in rows["coordinators"]["detail"]
    assert all(line.startswith(("ok ", "warning ")) for line in lines.stdout.splitlines())


def test_what_is_amiss_in_the_users_files_is_named_with_its_remedy(
    run_picoclaw: RunPicoclaw, home: Path, start_nats: StartNats
) -> None:
    server = start_nats()
    folder = home / ".picoclaw"
    (folder / "run").mkdir(parents=True)
    (folder / "workflows").mkdir()
    folder.chmod(0o755)
    (folder / "config.yaml").write_text("log: {level: warning}\n", encoding="utf-8")
    (folder / "workflows" / "broken.yaml").write_text("name: [\n", encoding="utf-8")
    record = {
        "pid": 2**22 - 1, "port": 1, "url": "nats://127.0.0.1:1", "user": "u", "password": "s3cret",
        "store": str(folder / "nats"), "name": "x", "version": "2.12.0", "started": "",
    }  # fmt: skip
    (folder / "run" / "server.json").write_text(json.dumps(record), encoding="utf-8")

    code, rows = doctor(
        run_picoclaw,
        "--swarm.nats.urls",
        server.url,
        env={"PICOCLAW_SWARM_NATS_TOKEN": "t0ken", "PICOCLAW_X": "1"},
    )

    assert code == 1
    assert rows["home"]["fix"] == f"chmod 700 {folder}"
    assert rows["shared server"]["fix"] == "picoclaw down"
    assert rows["workflow files"]["status"] == "failed"
    assert "broken.yaml" in rows["workflow files"]["detail"]
    assert "PICOCLAW_X" in rows["config"]["detail"]
    assert "s3cret" not in json.dumps(rows)
    assert "t0ken" not in json.dumps(rows)


def test_a_config_file_that_cannot_be_read_is_a_row_and_not_the_end(
    run_picoclaw: RunPicoclaw, home: Path
) -> None:
    (home / "bad.yaml").write_text("swarm: {rolle: worker}\n", encoding="utf-8")

    code, rows = doctor(run_picoclaw, "--config", str(home / "bad.yaml"))

    assert code == 1
    assert rows["config"]["status"] == "failed"
    assert "rolle" in rows["config"]["detail"] + rows["config"]["fix"]
    assert rows["python"]["status"] == "ok"


def test_without_git_on_the_path_it_says_how_to_get_it(run_picoclaw: RunPicoclaw) -> None:
    _, rows = doctor(run_picoclaw, *NOWHERE, env={"PATH": str(PICOCLAW.parent)})

    assert rows["git"]["status"] == "warning"
    assert "apt install git" in rows["git"]["fix"]
