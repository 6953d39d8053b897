"""Choosing the sandbox: the one that is set, if it works on this machine; blocking."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ....config.settings import AgentsSettings
from .bubblewrap import describe_system
from .plain import Plain
from .sandbox import Command, Job, Sandbox

PROGRAM = "bwrap"
PROBE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the commands of agents run in."""

    sandbox: Sandbox | None
    """None: they do not run here."""
    lacks: str = ""
    """Why bubblewrap does not work here, with the remedy; empty when it does, or nobody asked."""


def choose(settings: AgentsSettings) -> Chosen:
    """Return the sandbox of this machine; bubblewrap is tried, not just looked for."""
    if settings.sandbox == "none":
        return Chosen(Plain("agents.sandbox is none"))
    program = shutil.which(PROGRAM)
    if program is None:
        lacks = "bubblewrap is not on the PATH: install it, as by `apt install bubblewrap`"
    else:
        bubblewrap = describe_system(program, settings.network, _link, _shown)
        lacks = _failure(bubblewrap)
        if not lacks:
            return Chosen(bubblewrap)
    if settings.sandbox == "bubblewrap":
        return Chosen(None, lacks)
    return Chosen(Plain(lacks.partition(":")[0]), lacks)


def _link(place: str) -> str | None:
    try:
        return os.readlink(place).removeprefix("/")
    except OSError:
        return None


def _shown(place: str) -> bool:
    # What administrators put into /opt is often for root alone, and root reads it here too.
    return os.path.exists(place) and not (place == "/opt" and os.geteuid() == 0)


def _failure(sandbox: Sandbox) -> str:
    """Return why a sandbox does not work, with the remedy; empty when a program ran in it."""
    with tempfile.TemporaryDirectory(prefix="picoclaw-sandbox-") as place:
        job = Job.beside(Path(place).resolve() / "work")
        for folder in (job.root, job.home, job.tmp):
            folder.mkdir()
        order = sandbox.wrap(Command(argv=("true",), cwd=job.root, env={"PATH": os.defpath}), job)
        try:
            done = subprocess.run(
                order.argv,
                cwd=order.cwd,
                env=dict(order.env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE.total_seconds(),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap cannot be run ({error}): is {PROGRAM} whole?"
    if not done.returncode:
        return ""
    words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
    return (
        f"bubblewrap does not work here ({words[0].removeprefix('bwrap: ')[:200]}): it needs user namespaces, "
        "which containers and some systems forbid"
    )
