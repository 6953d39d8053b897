"""Definitions: the user's capabilities and workflows, read from where the settings say they lie."""

from pathlib import Path

from ..capabilities.registry import load_executors
from ..config.settings import Settings
from .adverts import Catalogue, Definitions
from .planning.template import shipped_templates


def definitions(settings: Settings, home: Path) -> Definitions:
    """Return the definition files of a node; `home` is `~/.picoclaw`, or where its like is."""
    capabilities = settings.capabilities.path or _usual(home / "capabilities")
    workflows = settings.workflows.path or _usual(home / "workflows")

    def load() -> Catalogue:
        return Catalogue(executors=load_executors(capabilities), templates=shipped_templates())

    return Definitions(paths=(*capabilities, *workflows), load=load)


def _usual(folder: Path) -> tuple[Path, ...]:
    return (folder,)
