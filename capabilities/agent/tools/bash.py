"""`bash`: a command in the task's workspace, in the machine's sandbox, bounded in all that it takes."""

import asyncio
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue

from ....config.durations import format_duration
from ....config.settings import AgentsSettings
from ....errors import RetryableError
from ....swarm.records import ArtifactRef
from ...child.mask import Mask
from ...child.run import Bounds, ChildEnd, ChildOrder, run_child
from ...definitions.sizes import format_size
from ...removal import remove
from ..models.conversation import ToolSpec
from ..sandbox.choose import Chosen, choose
from ..sandbox.environment import node_mask
from ..sandbox.sandbox import Command, Job, Sandbox
from .tool import SHOWN, Place, Tool, ToolResult
from .toolbox import Kit

USUAL = timedelta(minutes=2)
LONGEST = timedelta(minutes=10)
GRACE = timedelta(seconds=2)
CAP = 64 * 2**20
"""Bytes of output at which a command is ended."""
LIMITS: Mapping[str, int | None] = {
    "cpu_s": round(LONGEST.total_seconds()),
    "file_size": 2 * 2**30,
    "open_files": 4096,
}
"""Of each of its processes."""
PROCESSES = 512
MEMORY = 4 * 2**30
DISK = 4 * 2**30
"""Of all of its processes together."""

_OTHER = re.compile(r"[^A-Za-z0-9_-]+")

DESCRIPTION = """\
Run a command line in bash, in the task's workspace; return what it prints, and its exit code unless 0. \
Each call is a shell of its own: variables and the working directory do not last, files do. No process \
outlives the call. There is no terminal and no input. Output beyond 28,000 bytes is cut in \
the middle: have a longer one written to a file, and read that."""

SPEC = ToolSpec(
    name="bash",
    description=DESCRIPTION,
    schema={
        "type": "object",
        "properties": {
            "command": {"type": "string", "minLength": 1, "description": "What bash is to run."},
            "timeout": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": LONGEST.total_seconds(),
                "description": "Seconds after which it is ended; 120 unless given.",
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    },
)


def tools(kit: Kit) -> tuple[Tool, ...]:
    """Return the tool; it says itself where commands may not run."""
    return (Bash(kit.settings.agents, skills=lambda: folders_of_skills(kit)),)


def folders_of_skills(kit: Kit) -> tuple[tuple[str, Path], ...]:
    """Return the agent's skills that bring more than instructions, each with its folder; blocking."""
    if not kit.profile.skills:
        return ()
    from ..skills.shelf import shelf_of
    from ..skills.tool import files_of

    skills = shelf_of(kit.settings).chosen(kit.profile.skills)
    return tuple((skill.name, skill.folder.resolve()) for skill in skills if files_of(skill.folder))


@dataclass(slots=True)
class Bash:
    """Runs commands."""

    settings: AgentsSettings
    spec: ToolSpec = SPEC
    limits: Mapping[str, int | None] = field(default_factory=lambda: LIMITS)
    processes: int = PROCESSES
    memory: int = MEMORY
    disk: int = DISK
    skills: Callable[[], tuple[tuple[str, Path], ...]] = tuple
    """Looks for the skills whose files commands see; asked once."""
    _shown: tuple[tuple[str, Path], ...] = ()
    _chosen: Chosen | None = None

    @property
    def repeatable(self) -> bool:
        """Whether a command that a crash broke off can be run again unasked.

        In a sandbox without network it reaches nothing but its workspace, home and `/tmp`. No two
        attempts share any of them, and the next one begins with the workspace as it was before the command.
        Elsewhere a command may do anything, and whether it did nobody knows.
        """
        sandbox = self._chosen.sandbox if self._chosen is not None else None
        return sandbox is not None and sandbox.sealed

    async def prepare(self, place: Place) -> None:
        """Choose the sandbox, and say so where there is none."""
        if self._chosen is None:
            self._chosen = await asyncio.to_thread(choose, self.settings)
            self._shown = await asyncio.to_thread(self.skills)
            if self._chosen.sandbox is not None and self._chosen.sandbox.name == "none":
                await place.context.progress(f"commands run in {self._chosen.sandbox.said}")

    @property
    def said(self) -> str:
        """How the commands of the job were kept from the machine, in one sentence; empty where none ran."""
        sandbox = self._chosen.sandbox if self._chosen is not None else None
        return f"commands ran in {sandbox.said}" if sandbox is not None else ""

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Run `command` for at most `timeout` seconds."""
        command, seconds = str(arguments["command"]), arguments.get("timeout")
        timeout = timedelta(seconds=float(seconds)) if isinstance(seconds, int | float) else USUAL
        sandbox = await self._sandbox(place)
        if isinstance(sandbox, str):
            return ToolResult(text=sandbox, error=True)
        if "\0" in command or len(command.encode("utf-8", "surrogatepass")) >= 2**17:
            return ToolResult(
                text="the command holds a NUL or has over 128 KiB: write it to a file and run that",
                error=True,
            )
        job = replace(Job.beside(place.root), skills=self._shown)
        folder = await asyncio.to_thread(_make_folders, job)
        try:
            end = await run_child(self._order(command, timeout, sandbox, job, folder, place))
            if sandbox.name != "none":
                # What is left then is the sandbox's own, ended with it.
                end = replace(end, left=0)
            return await _told(end, min(timeout, LONGEST), place)
        except OSError as error:
            return ToolResult(text=f"no process can be started on this node now: {error}", error=True)
        except RetryableError as error:
            return ToolResult(text=str(error), error=True)
        finally:
            await asyncio.shield(asyncio.to_thread(remove, folder))

    async def _sandbox(self, place: Place) -> Sandbox | str:
        """Return the sandbox, or why no command may be run."""
        await self.prepare(place)
        assert self._chosen is not None
        if self._chosen.sandbox is None:
            return f"commands do not run on this node: agents.sandbox is bubblewrap, and {self._chosen.lacks}"
        return self._chosen.sandbox

    def _order(
        self, command: str, timeout: timedelta, sandbox: Sandbox, job: Job, folder: Path, place: Place
    ) -> ChildOrder:
        shell = shutil.which("bash") or "sh"
        # Both streams as one, in the order in which they were written.
        argv = ("/bin/sh", "-c", 'exec "$@" 2>&1', "sh", shell, "-c", command)
        wrapped = sandbox.wrap(Command(argv=argv, cwd=job.root, env=place.environment), job)
        return ChildOrder(
            argv=wrapped.argv,
            cwd=wrapped.cwd,
            env=wrapped.env,
            folder=folder,
            timeout=min(timeout, LONGEST),
            grace=GRACE,
            keep=SHOWN,
            cap=CAP,
            limits=self.limits,
            bounds=Bounds(
                processes=self.processes, memory=self.memory, disk=self.disk, folder=job.root.parent
            ),
        )


def _make_folders(job: Job) -> Path:
    for folder in (job.home, job.tmp):
        folder.mkdir(mode=0o700, exist_ok=True)
    for name, folder in job.skills:
        link = job.root.parent / "skills" / name
        link.parent.mkdir(mode=0o700, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(folder)
    return Path(tempfile.mkdtemp(prefix="bash-", dir=job.root.parent))


async def _told(end: ChildEnd, timeout: timedelta, place: Place) -> ToolResult:
    """Return what came of it, in words for the model; more than it sees is stored."""
    mask = node_mask()
    text = mask.data(end.stdout.shown).decode("utf-8", "replace").rstrip("\n")
    text = text.replace("\0", "�")
    kept: tuple[ArtifactRef, ...] = ()
    if not end.stdout.whole:
        kept = (await _keep(end, mask, place),)
    said = mask.data(end.stderr).decode("utf-8", "replace").strip()
    how = _how(end, timeout)
    if how and said:
        # Only what runs the command writes there: the sandbox, or the system.
        how = f"{how}: {said[-500:]}"
    parts = [text] if text else []
    if kept:
        parts.append(f"[cut; the task's artifact {kept[0].filename} holds all of it]")
    parts += [f"[{how}]"] if how else []
    if end.left:
        parts.append(f"[{end.left} {'process' if end.left == 1 else 'processes'} left behind, and ended]")
    return ToolResult(text="\n".join(parts) or "[it printed nothing]", error=bool(how), artifacts=kept)


async def _keep(end: ChildEnd, mask: Mask, place: Place) -> ArtifactRef:
    data = await asyncio.to_thread(lambda: mask.data(end.stdout.read()))
    return await place.context.artifacts.put(
        data, media_type="text/plain", filename=f"bash-{_OTHER.sub('-', place.call)[:40]}.txt"
    )


def _how(end: ChildEnd, timeout: timedelta) -> str:
    """Return how it ended, in words; empty for well."""
    if end.refused:
        return f"it could not be started: {end.refused}"
    if end.flooded:
        return f"ended, as it printed more than {format_size(CAP)}"
    if end.timed_out:
        return f"ended after {format_duration(timeout)}: give a longer timeout, or do less at once"
    if end.exceeded:
        of = {"processes": "had too many processes", "memory": "took too much memory"}
        return f"ended, as it {of.get(end.exceeded, 'filled too much of the disk')}"
    number = end.signal
    if end.code is not None and end.code > 128:
        # A shell, or the sandbox, says so of a program that a signal ended.
        number = end.code - 128
    if number in (signal.SIGXCPU, signal.SIGXFSZ):
        limit = "CPU time" if number == signal.SIGXCPU else "the size of a file"
        return f"ended at its limit of {limit}"
    if end.code is None:
        return f"ended by signal {number}"
    return f"exit code {end.code}" if end.code else ""
