"""Which skills this machine has, and how a shell completes their names."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ...errors import ConfigError, NotFound
from ..completion.offered import Offered

if TYPE_CHECKING:
    from ...capabilities.agent.skills.shelf import Shelf
    from ...capabilities.agent.skills.skill import Skill
    from ...config.load import Loaded


def shelf(loaded: "Loaded") -> "Shelf":
    """Return what is found where the settings say."""
    from ...capabilities.agent.skills.shelf import shelf_of

    return shelf_of(loaded.settings)


def find_skill(name: str, loaded: "Loaded") -> "Skill":
    """Return a skill by its name. Raises NotFound with the nearest one, ConfigError for a broken one."""
    from ...config.spelling import did_you_mean

    found = shelf(loaded)
    skill = found.skills.get(name)
    if skill is not None:
        return skill
    for broken in found.broken:
        if broken.name == name:
            raise ConfigError(broken.why)
    hint = did_you_mean(name, found.skills) or "; `picoclaw skills list` shows them"
    raise NotFound(f"no skill is called {name[:100]!r}{hint}")


def _names(ctx: click.Context) -> Iterable[str]:
    from ..flags import load_settings

    return shelf(load_settings(ctx, quiet=True)).skills


SKILL = Offered("name", _names)
