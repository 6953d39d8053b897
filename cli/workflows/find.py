"""Which workflows this machine knows: the user's files, then what comes with the package."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import PlanError
from ..completion.offered import Offered
from ..request.typed_path import typed_path

if TYPE_CHECKING:
    from ...config.load import Loaded
    from ...roles.planning.template import Template


@dataclass(frozen=True, slots=True)
class Known:
    """One workflow and where it comes from."""

    template: "Template"
    path: Path | None
    """None: it comes with the package."""

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return str(self.path) if self.path is not None else "shipped"


def folders(loaded: "Loaded") -> tuple[Path, ...]:
    """Return where the user's workflows lie."""
    from ...roles.workflow_files import usual_folder
    from ...swarm.embedded.rundir import picoclaw_home

    return loaded.settings.workflows.path or (usual_folder(picoclaw_home()),)


def known_workflows(loaded: "Loaded") -> tuple[list[Known], list[PlanError]]:
    """Return every workflow that can be read, the user's first, and what is wrong with the others."""
    from ...roles.planning.template import shipped_templates
    from ...roles.workflow_files import read_workflow, workflow_paths

    found: dict[str, Known] = {}
    wrong: list[PlanError] = []
    for path in workflow_paths(folders(loaded)):
        try:
            template = read_workflow(path)
        except PlanError as error:
            wrong.append(error)
            continue
        other = found.get(template.name)
        if other is not None:
            wrong.append(PlanError(f"template {path}: {template.name!r} is also the name of {other.origin}"))
            continue
        found[template.name] = Known(template, path)
    for template in shipped_templates():
        found.setdefault(template.name, Known(template, None))
    return list(found.values()), wrong


def templates_here(loaded: "Loaded") -> "list[Template]":
    """Return every workflow of this machine that can be read; a word on stderr for what cannot.

    For those to whom a wrong file is no reason to stop.
    """
    from ...roles.planning.template import shipped_templates
    from ..errors import echo_warning

    try:
        known, wrong = known_workflows(loaded)
    except PlanError as error:
        echo_warning(str(error))
        return list(shipped_templates())
    for mistake in wrong:
        echo_warning(f"not taken as a workflow: {mistake}")
    return [one.template for one in known]


def find_workflow(name: str, loaded: "Loaded") -> Known:
    """Return a workflow by its name, or by its file when the name has a slash or ends with .yaml.

    Raises PlanError for a name that is not there, with the nearest one, and for a file that is wrong.
    """
    from ...config.spelling import did_you_mean
    from ...roles.workflow_files import SUFFIXES, read_workflow

    if "/" in name or name.endswith(SUFFIXES):
        path = typed_path(name)
        return Known(read_workflow(path), path)
    known, wrong = known_workflows(loaded)
    for one in known:
        if one.template.name == name:
            return one
    if wrong:
        raise wrong[0]
    names = [one.template.name for one in known]
    where = ", ".join(str(folder) for folder in folders(loaded))
    raise PlanError(
        f"no workflow is called {name[:100]!r}{did_you_mean(name, names)} (there is: {', '.join(names)}); it is "
        f"looked for in {where}, or name its file"
    )


def _names(ctx: click.Context) -> Iterable[str]:
    from ..flags import load_settings

    return [one.template.name for one in known_workflows(load_settings(ctx, quiet=True))[0]]


NAME = Offered("name", _names)
