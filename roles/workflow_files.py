"""The user's workflow files: one template in each, in the folders or files that the settings name."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.plain_yaml import read_text
from ..errors import ConfigError, PlanError
from .planning.template import Template, read_template, shipped_templates

log = logging.getLogger(__name__)

SUFFIXES = (".yaml", ".yml")
MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A template and the file that it stands in."""

    path: Path
    template: Template


def usual_folder(home: Path) -> Path:
    """Return where a user's workflows lie unless the settings name another place; it may be missing."""
    return home / "workflows"


def workflow_paths(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files that are meant: a file itself, of a folder its `*.yaml` and `*.yml` by name.

    Raises PlanError for a folder that cannot be read or holds over 1000 of them. A path that is not
    there means no files.
    """
    found: list[Path] = []
    for path in paths:
        try:
            if path.is_dir():
                entries = sorted(entry for entry in path.iterdir() if entry.suffix in SUFFIXES)
                found += [entry for entry in entries if not entry.name.startswith(".")]
            elif path.exists():
                found.append(path)
        except OSError as error:
            raise PlanError(
                f"{path} cannot be read ({error.strerror}): give this user the right to"
            ) from None
    if len(found) > MOST_FILES:
        raise PlanError(
            f"{len(found):,} workflow files are over {MOST_FILES:,}: is it the right folder ({found[-1].parent})?"
        )
    return tuple(dict.fromkeys(found))


def read_workflow(path: Path) -> Template:
    """Read one file; raises PlanError, in one line, for one that is no template."""
    try:
        text = read_text(path, f"template {path}")
    except ConfigError as error:
        raise PlanError(str(error)) from None
    return read_template(text, str(path))


def read_workflows(paths: Sequence[Path]) -> tuple[WorkflowFile, ...]:
    """Read every file that is meant; raises PlanError for the first that is wrong, or a name used twice."""
    found: dict[str, WorkflowFile] = {}
    for path in workflow_paths(paths):
        template = read_workflow(path)
        other = found.get(template.name)
        if other is not None:
            raise PlanError(
                f"template {path}: {template.name!r} is also the name of {other.path}: rename one of them"
            )
        found[template.name] = WorkflowFile(path, template)
    return tuple(found.values())


def load_templates(paths: Sequence[Path]) -> tuple[Template, ...]:
    """Return the user's templates, then the shipped ones that none of theirs replaces.

    Raises PlanError, in one line, for a file that is wrong.
    """
    own = read_workflows(paths)
    names = {file.template.name: file.path for file in own}
    shipped = shipped_templates()
    for template in shipped:
        if template.name in names:
            log.info("Workflow %s of %s replaces the shipped one", template.name, names[template.name])
    return (
        *(file.template for file in own),
        *(template for template in shipped if template.name not in names),
    )
