"""`make demo`: what it runs, and that this does what it promises on this repository."""

import json
import subprocess
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]


def test_make_demo_is_one_command() -> None:
    ran = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--old-file=.venv/.demo", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert ran.stdout == '.venv/bin/picoclaw run "Review this repository"\n'


@pytest.mark.long  # of a small one: test_run.py
def test_this_repository_is_reviewed_whole_by_four_specialists(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("run", "Review this repository", "--json", cwd=ROOT, timeout=110)

    assert ran.returncode == 0, ran.stderr
    ended = json.loads(ran.stdout)
    assert (ended["state"], ended["partial"]) == ("done", False)
    report = ended["report"]
    assert report["complete"]
    assert {area["area"]: area["node"] for area in report["areas"]} == {
        area: f"{area}-specialist" for area in ("code", "security", "docs", "testing")
    }
    assert {area["attempts"] for area in report["areas"]} == {1}
