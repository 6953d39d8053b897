"""Definitions: the user's capabilities, agents and workflows, read from where the settings say they lie."""

import os
from collections.abc import Callable
from pathlib import Path

from ..capabilities.agent.profiles.known import FOLDER, POLICY
from ..capabilities.registry import load_executors
from ..capabilities.told import Told
from ..config.settings import Settings
from .adverts import Catalogue, Definitions
from .registered_agents import RegisteredAgents
from .workflow_files import load_templates, usual_folder


def definitions(settings: Settings, home: Path) -> Definitions:
    """Return the definition files of a node; `home` is `~/.picoclaw`, or where its like is."""
    capabilities = settings.capabilities.path or (home / "capabilities",)
    workflows = settings.workflows.path or (usual_folder(home),)
    agents = settings.agents.path or (home / FOLDER,)
    policy = settings.agents.policy or home / POLICY
    registered = RegisteredAgents()

    def load() -> Catalogue:
        told = Told(settings=settings, home=home, registered=registered.records, refused=registered.refused)
        return Catalogue(executors=load_executors(capabilities, told), templates=load_templates(workflows))

    paths = (*capabilities, *workflows, *agents, policy)
    return Definitions(paths=paths, load=load, registered=registered, stamp=_skills(settings))


def _skills(settings: Settings) -> Callable[[], object]:
    """Return what tells whether skills came or went, or those of picoclaw's own agents became ready."""
    from ..capabilities.agent.skills.adverts import SkillAdverts
    from ..capabilities.agent.skills.shelf import stamp_of

    adverts = SkillAdverts(settings, os.environ)

    def stamp() -> object:
        ready = adverts.capabilities(("*",), ready=True) if settings.llm.model else frozenset[str]()
        return stamp_of(settings), ready

    return stamp
