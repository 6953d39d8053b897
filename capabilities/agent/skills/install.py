"""Installing skills: fetched, looked at, and put in their place in one step; nothing of them is run."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ....errors import ConfigError, ExecutionError, NotFound, UsageError
from ....swarm.records import RepositoryRef
from ...removal import remove as remove_tree
from ...repository.clone import COMMIT, clone
from ...repository.reference import resolve_url
from ...repository.snapshot import Limits
from ...repository.url import is_url
from .archives import is_archive, unpack_archive
from .digest import MAX_BYTES, MAX_FILES, skill_digest, skill_files
from .read import read_skill
from .skill import FILE, ORIGIN, Skill

FETCHING = timedelta(minutes=2)
DEEPEST = 4
"""Folders below a source in which skills are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a skill came from."""

    source: str
    digest: str
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A skill that could be installed."""

    skill: Skill
    origin: Origin
    files: int
    programs: tuple[str, ...]
    """Files of it that may be run."""


@contextmanager
def fetched(source: str, only: Sequence[str] = ()) -> Iterator[tuple[Fetched, ...]]:
    """Yield the skills of a folder, an archive, or a git URL (`URL#COMMIT`, `URL#BRANCH`); blocking.

    `only` names those that are meant where there are several. Raises UsageError, ConfigError or
    RepositoryError in words.
    """
    with tempfile.TemporaryDirectory(prefix="picoclaw-skill-", ignore_cleanup_errors=True) as place:
        folder, commit = _get(source, Path(place).resolve())
        skills = _skills_in(folder, source, only)
        names = [skill.name for skill in skills]
        for name in only:
            if name not in names:
                raise NotFound(f"{source} holds no skill {name!r}: it holds {', '.join(names)}")
        chosen = [skill for skill in skills if not only or skill.name in only]
        yield tuple(_fetched(skill, source.partition("#")[0], commit) for skill in chosen)


def install(one: Fetched, folder: Path, *, force: bool = False) -> bool:
    """Put a skill into a folder of skills; False where the very same stands there already; blocking.

    Raises UsageError where another stands there and `force` is not given.
    """
    place = folder / one.skill.name
    if os.path.lexists(place):
        if not force and place.is_dir() and _digest_or_none(place) == one.origin.digest:
            return False
        if not force:
            raise UsageError(
                f"a skill {one.skill.name} stands in {folder} already, and it is another one: look at both, then "
                "give --force to replace it"
            )
    folder.mkdir(parents=True, exist_ok=True)
    incoming = folder / f".incoming-{secrets.token_hex(6)}"
    try:
        for relative, file, runs in skill_files(one.skill.folder):
            aim = incoming / relative
            aim.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, aim, follow_symlinks=False)
            aim.chmod(0o755 if runs else 0o644)
        if skill_digest(incoming) != one.origin.digest:
            raise UsageError(f"{one.skill.name} changed while it was copied: install it again")
        origin = {"source": one.origin.source, "commit": one.origin.commit, "digest": one.origin.digest}
        (incoming / ORIGIN).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
        if os.path.lexists(place):
            former = folder / f".former-{secrets.token_hex(6)}"
            place.rename(former)
            incoming.rename(place)
            remove_tree(former)
        else:
            incoming.rename(place)
    finally:
        if incoming.exists():
            remove_tree(incoming)
    return True


def remove(skill: Skill) -> None:
    """Remove a skill of the user's; blocking. Raises UsageError for one that comes with the package."""
    if skill.source == "shipped":
        raise UsageError(
            f"skill {skill.name} comes with picoclaw: the agents have it whose profiles name it; a skill of your own "
            "by the same name replaces it"
        )
    if not remove_tree(skill.folder):
        raise UsageError(f"{skill.folder} cannot be removed whole: look at what is left, and whose it is")


def origin_of(skill: Skill) -> Origin | None:
    """Return where a skill was installed from; None for one that was not installed, or nobody can tell."""
    try:
        data = json.loads((skill.folder / ORIGIN).read_text(encoding="utf-8"))
        return Origin(source=str(data["source"]), digest=str(data["digest"]), commit=data.get("commit"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _get(source: str, place: Path) -> tuple[Path, str | None]:
    """Return the folder with what is meant, and its commit if it has one."""
    folder = place / "files"
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve(), None
    if path.is_file() and is_archive(path):
        folder.mkdir()
        unpack_archive(path, folder)
        return folder, None
    if not is_url(source):
        what = "is no folder and no .zip or .tar.gz" if path.exists() else "is not there"
        raise UsageError(f"{source} {what}: name a folder, a .zip, a .tar.gz, or a git URL with #COMMIT")
    url, _, at = source.partition("#")
    exact = COMMIT.fullmatch(at) is not None
    repository = RepositoryRef(url=url, commit=at, label=url) if exact else resolve_url(source)
    folder.mkdir()
    try:
        limits = Limits(max_bytes=4 * MAX_BYTES, max_files=4 * MAX_FILES)
        asyncio.run(clone(repository, folder, limits, FETCHING))
    except ExecutionError as error:
        raise UsageError(str(error)) from None
    return folder, repository.commit


def _skills_in(folder: Path, source: str, only: Sequence[str]) -> list[Skill]:
    found: dict[str, Skill] = {}
    broken: list[ConfigError] = []
    for here, folders, files in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = (
            sorted(name for name in folders if name not in (".git", "__pycache__")) if depth < DEEPEST else []
        )
        if FILE not in files:
            continue
        folders.clear()  # what lies below belongs to this skill
        try:
            skill = read_skill(Path(here))
        except ConfigError as error:
            broken.append(error)
            continue
        other = found.setdefault(skill.name, skill)
        if other is not skill:
            raise UsageError(f"{source} holds two skills {skill.name!r}: name the folder of the one you mean")
    # A broken one keeps nobody from those that are meant besides it.
    if broken and not (only and found.keys() >= set(only)):
        raise broken[0]
    if not found:
        raise UsageError(f"{source} holds no {FILE}: name a folder that is a skill, or holds some")
    return sorted(found.values(), key=lambda skill: skill.name)


def _fetched(skill: Skill, source: str, commit: str | None) -> Fetched:
    files = skill_files(skill.folder)
    where = str(Path(source).expanduser().resolve()) if not is_url(source) else source
    return Fetched(
        skill=skill,
        origin=Origin(source=where, digest=skill_digest(skill.folder), commit=commit),
        files=len(files),
        programs=tuple(relative for relative, _, runs in files if runs),
    )


def _digest_or_none(folder: Path) -> str | None:
    with contextlib.suppress(UsageError, OSError):
        return skill_digest(folder)
    return None
