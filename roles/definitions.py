"""Definitions: the user's capabilities and workflows, read from where the settings say they lie."""

from pathlib import Path

from ..capabilities.registry import load_executors
from ..config.settings import Settings
from .adverts import Catalogue, Definitions
from .workflow_files import load_templates, usual_folder


def definitions(settings: Settings, home: Path) -> Definitions:
    """Return the definition files of a node; `home` is `~/.picoclaw`, or where its like is."""
    capabilities = settings.capabilities.path or (home / "capabilities",)
    workflows = settings.workflows.path or (usual_folder(home),)

    def load() -> Catalogue:
        return Catalogue(executors=load_executors(capabilities), templates=load_templates(workflows))

    return Definitions(paths=(*capabilities, *workflows), load=load)
