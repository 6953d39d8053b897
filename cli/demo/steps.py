"""The request of the crash show: many short steps in three layers, each of which counts its own runs."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from ...swarm.proof import Effect

CAPABILITY = "demo-step"
SECONDS = 0.3
"""How long one step takes, beside what it costs to start its job."""
PAIRS = 80
"""Tasks of the first layer, and of the second."""

WORKFLOW: Mapping[str, JsonValue] = {
    "name": "crash-show",
    "title": "Many short steps",
    "inputs": {"parts": {"type": "list"}},
    "tasks": [
        {"step": "work", "for_each": "parts", "demand": CAPABILITY, "max_attempts": 10},
        {
            "step": "check",
            "for_each": "parts",
            "demand": CAPABILITY,
            "after": ["work-${index}"],
            "max_attempts": 10,
        },
        {"step": "sum", "demand": CAPABILITY, "after": ["check"], "max_attempts": 10},
    ],
}


def definition(effects: Path) -> str:
    """Return the YAML of the capability; each job appends to a file of its task when it begins and ends."""
    script = f"""
      printf 'begun %s\\n' "$TASK_ATTEMPT" >> "{effects}/$TASK_ID"
      sleep {SECONDS:g}
      printf 'ended %s\\n' "$TASK_ATTEMPT" >> "{effects}/$TASK_ID"
"""
    return f"capabilities:\n  {CAPABILITY}:\n    description: One step of a show.\n    shell: |{script}"


def read_effects(folder: Path) -> dict[str, Effect]:
    """Return what each task's job wrote down of itself, by task id."""
    return {file.name: read_effect(file) for file in folder.iterdir()}


def read_effect(file: Path) -> Effect:
    """Return what one task's job wrote down of itself."""
    try:
        words = [line.partition(" ")[0] for line in file.read_text().splitlines()]
    except FileNotFoundError:
        return Effect()
    return Effect(words.count("begun"), words.count("ended"))
