"""What the commands of an agent see of the node's environment, and what of it never comes back in their words."""

import os
from collections.abc import Mapping

from ....config.settings import AgentsSettings
from ...child.mask import Mask, mask_for
from ...tool import child_environment


def tool_environment(settings: AgentsSettings) -> dict[str, str]:
    """Return the variables that every child sees, and those that the settings name. No key is among them."""
    return child_environment(allow=settings.env)


def node_mask(environ: Mapping[str, str] | None = None) -> Mask:
    """Return the mask of the node's own secrets: should a command come by one, it is not passed on."""
    return mask_for(os.environ if environ is None else environ)
