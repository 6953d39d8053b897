"""Which models are asked, in turn: those of the task, else of its role, else of the node."""

from collections.abc import Sequence

from ....config.settings import LlmSettings, Role


def chain(settings: LlmSettings, role: Role = "worker", own: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the models to ask, first to last; empty where none is set.

    `own` is what an agent's profile or a task names: then that alone counts. A coordinator asks
    `llm.coordinator.model` before `llm.fallbacks`, where it is set.
    """
    if own:
        return tuple(dict.fromkeys(own))
    first = (settings.coordinator.model if role == "coordinator" else "") or settings.model
    return tuple(dict.fromkeys((first, *settings.fallbacks))) if first else ()
