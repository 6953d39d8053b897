"""The shelf: every skill of this machine, the user's before those that come along."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ....config.settings import Settings
from ....errors import ConfigError
from ....swarm.embedded.rundir import picoclaw_home
from .read import read_skill
from .skill import FILE, Broken, Skill, Source

SHIPPED = Path(__file__).parent / "shipped"
OF_REPOSITORY = Path(".picoclaw", "skills")
Stamp = tuple[tuple[str, int, int, int], ...]
MOST = 500
"""Skills of one folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What was found."""

    skills: Mapping[str, Skill] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()

    def chosen(self, patterns: Sequence[str]) -> tuple[Skill, ...]:
        """Return the skills whose names fit one of the shell patterns, by name."""
        fits = (name for name in sorted(self.skills) if any(fnmatchcase(name, one) for one in patterns))
        return tuple(self.skills[name] for name in fits)


def usual_folder(home: Path) -> Path:
    """Return where a user's skills lie unless the settings name another place; it may be missing."""
    return home / "skills"


def skill_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the folders that hold the user's skills."""
    return settings.skills.path or (usual_folder(picoclaw_home()),)


def shelf_of(settings: Settings) -> Shelf:
    """Return every skill of this machine; a broken one is named, and keeps nobody from the others."""
    return find_skills([*((folder, "user") for folder in skill_folders(settings)), (SHIPPED, "shipped")])


def stamp_of(settings: Settings) -> Stamp:
    """Return what tells one state of the shelf from another: place, time, size and inode of each skill's file."""
    found: list[tuple[str, int, int, int]] = []
    for folder in (*skill_folders(settings), SHIPPED):
        try:
            names = sorted(os.listdir(folder))[: 2 * MOST]
        except OSError:
            continue
        for file in (folder / FILE, *(folder / name / FILE for name in names)):
            try:
                status = file.stat()
            except OSError:
                continue
            found.append((str(file), status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def find_skills(folders: Sequence[tuple[Path, Source]]) -> Shelf:
    """Return the skills of some folders; of one name the first folder's is taken."""
    skills: dict[str, Skill] = {}
    broken: list[Broken] = []
    for folder, source in folders:
        own: dict[str, Skill] = {}
        for place in _places(folder, broken):
            if source == "repository" and (place.is_symlink() or (place / FILE).is_symlink()):
                continue
            try:
                skill = read_skill(place, source)
            except ConfigError as error:
                broken.append(Broken(name=place.name, folder=place, why=str(error)))
                continue
            other = own.get(skill.name)
            if other is not None:
                why = f"{skill.place}: {skill.name!r} is also the name of {other.place}: rename one of them"
                broken.append(Broken(name=place.name, folder=place, why=why))
                continue
            own[skill.name] = skill
        skills = own | skills
    return Shelf(skills=dict(sorted(skills.items())), broken=tuple(broken))


def skills_of_repository(root: Path) -> Shelf:
    """Return the skills that a repository brings; nothing is read that lies outside of it by a link."""
    folder = root / OF_REPOSITORY
    # Its writer may be anybody, and a link may lead to any file of the node.
    if os.path.realpath(folder) != os.path.join(os.path.realpath(root), OF_REPOSITORY):
        return Shelf()
    return find_skills([(folder, "repository")])


def _places(folder: Path, broken: list[Broken]) -> list[Path]:
    if (folder / FILE).is_file():
        return [folder]  # the folder of one skill
    try:
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        why = f"{folder}: cannot be read ({error.strerror}): give this user the right to"
        broken.append(Broken(name=folder.name, folder=folder, why=why))
        return []
    found = [entry for entry in entries if not entry.name.startswith(".") and (entry / FILE).exists()]
    if len(found) > MOST:
        why = f"{folder}: it holds over {MOST} skills, of which the first are taken: is it the right folder?"
        broken.append(Broken(name=folder.name, folder=folder, why=why))
    return found[:MOST]
