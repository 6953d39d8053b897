"""The tool `skill`: what an agent loads when it needs it; names and descriptions alone stand in its description."""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from ....config.plain_file import open_plain
from ....config.spelling import did_you_mean
from ..models.conversation import ToolSpec
from ..tools.tool import Place, Tool, ToolResult
from ..tools.toolbox import Kit
from .machine import not_ready, this_machine
from .shelf import shelf_of, skills_of_repository
from .skill import FILE, ORIGIN, Skill

log = logging.getLogger(__name__)

LARGEST_FILE = 256 * 2**10
MOST_FILES = 200
LONGEST_LINE = 300
"""Characters of a description that a model is told before it loads the skill."""


class SkillSource:
    """Brings the tool `skill` where a profile names skills that are ready."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    @asynccontextmanager
    async def open(self, kit: Kit) -> AsyncIterator[tuple[Tool, ...]]:
        """Yield it; of skills that are broken or not ready the log says why they are left out."""
        skills = await asyncio.to_thread(self._ready, kit)
        of_repository = kit.settings.skills.from_repository
        yield (SkillTool(skills, of_repository),) if skills or of_repository else ()

    def _ready(self, kit: Kit) -> tuple[Skill, ...]:
        if not kit.profile.skills:
            return ()
        shelf = shelf_of(kit.settings)
        for broken in shelf.broken:
            log.warning("Skill %s is not ready: %s", broken.name, broken.why)
        for wanted in kit.profile.skills:
            if not shelf.chosen([wanted]):
                log.warning("No skill is called %r%s", wanted[:100], did_you_mean(wanted, shelf.skills))
        machine = this_machine(kit.settings, self._environ)
        ready: list[Skill] = []
        for skill in shelf.chosen(kit.profile.skills):
            if why := not_ready(skill, machine):
                # Who takes whatever there is misses nothing.
                level = logging.WARNING if skill.name in kit.profile.skills else logging.DEBUG
                log.log(level, "Skill %s is not ready: %s", skill.name, why)
            else:
                ready.append(skill)
        return tuple(ready)


@dataclass(frozen=True, slots=True)
class SkillTool:
    """Loads one skill, or one of its files."""

    skills: tuple[Skill, ...]
    of_repository: bool = False
    """Those of the task's repository are taken too."""

    @property
    def spec(self) -> ToolSpec:
        names = [skill.name for skill in self.skills]
        lines = [f"- {skill.name}: {_cut(skill.description)}" for skill in self.skills]
        more = ["Without a name it lists all, those of the repository too."] if self.of_repository else []
        name: dict[str, JsonValue] = {"type": "string", "description": "The skill's name."}
        if not self.of_repository:
            name["enum"] = list(names)
        first = (
            "Load the instructions of a skill before you do work that it is for, then follow them as far as "
            "your task and rules allow. Skills:"
        )
        return ToolSpec(
            name="skill",
            description="\n".join([first, *lines, *more]),
            schema={
                "type": "object",
                "properties": {
                    "name": name,
                    "file": {
                        "type": "string",
                        "description": "A further file of the skill, by its path in it; without it, the "
                        "instructions and the list of files.",
                    },
                },
                "required": [] if self.of_repository else ["name"],
                "additionalProperties": False,
            },
        )

    @property
    def repeatable(self) -> bool:
        return True

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        """Return the instructions, or a file's text."""
        return await asyncio.to_thread(self._use, arguments, place.root)

    def _use(self, arguments: Mapping[str, JsonValue], root: Path) -> ToolResult:
        skills = {skill.name: skill for skill in self.skills}
        if self.of_repository:
            # A name that the user's skills bear stays theirs.
            skills = {**skills_of_repository(root).skills, **skills}
        name, file = arguments.get("name"), arguments.get("file")
        if name is None:
            lines = [f"- {skill.name}: {_cut(skill.description)}" for skill in skills.values()]
            return ToolResult(text="\n".join(lines) or "There is no skill here.")
        skill = skills.get(str(name))
        if skill is None:
            hint = did_you_mean(str(name), skills) or f"; there is: {', '.join(sorted(skills)) or 'none'}"
            return ToolResult(text=f"No skill is called {str(name)[:100]!r} here{hint}", error=True)
        return _load(skill) if file is None else file_of(skill, str(file))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1].rstrip() + "…"


def _load(skill: Skill) -> ToolResult:
    files = files_of(skill.folder)
    listed = "\n".join(f"- {name}" for name in files[:MOST_FILES])
    end = f"\n\nFurther files, which `skill` loads with file:\n{listed}" if files else ""
    if files and skill.source != "repository":
        end += (
            f"\n\nCommands of bash find them in $SKILLS/{skill.name}, to be read and run, not to be changed."
        )
    return ToolResult(text=f"Skill {skill.name}\n\n{skill.body}{end}")


def file_of(skill: Skill, name: str) -> ToolResult:
    """Return the text of one file of a skill, or in words why there is none."""
    root = Path(os.path.realpath(skill.folder))
    try:
        place = Path(os.path.realpath(root / name))
        if not place.is_relative_to(root) or "\0" in name:
            return ToolResult(text=f"{name[:100]!r} lies outside of skill {skill.name}", error=True)
        with open_plain(place) as stream:
            data = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        known = files_of(skill.folder)
        absent = getattr(error, "errno", None) in (errno.ENOENT, errno.ENOTDIR)
        why = "is not there" if absent else f"cannot be read ({getattr(error, 'strerror', None) or error})"
        hint = (
            did_you_mean(name, known) or f"; there is: {', '.join(known[:MOST_FILES]) or 'no further file'}"
        )
        return ToolResult(text=f"{name[:100]!r} {why} in skill {skill.name}{hint}", error=True)
    if len(data) > LARGEST_FILE:
        return ToolResult(text=f"{name} has over {LARGEST_FILE // 2**10} KB: it is not loaded", error=True)
    try:
        return ToolResult(text=data.decode("utf-8"))
    except UnicodeDecodeError:
        return ToolResult(text=f"{name} is no text ({len(data):,} bytes): it is not loaded", error=True)


def files_of(folder: Path) -> list[str]:
    """Return the further plain files of a skill, by their paths in it; none that lies behind a link."""
    found: list[str] = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted(files):
            path = Path(here, name)
            relative = path.relative_to(folder).as_posix()
            if relative not in (FILE, ORIGIN) and path.is_file() and not path.is_symlink():
                found.append(relative)
        if len(found) > MOST_FILES:
            break
    return found
