"""The configuration: which file is read, what is odd in it, and the user's own definitions."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ...config.load import FILE_NAME, Loaded
from ...errors import PicoclawError
from ...swarm.checks.row import Row, failed, ok, warning


def settings_rows(loaded: Loaded, file: Path | None, home: Path) -> list[Row]:
    """Check what was read; `file` is that of `--config`, `home` the user's home."""
    path = file or home / FILE_NAME
    read = ok("config", str(path) if path.exists() else f"{path} is not there: defaults are used")
    rows = [
        warning("config", text, "correct it; `picoclaw --help` lists the settings")
        for text in loaded.warnings
    ]
    return [read, *rows]


def definition_rows(loaded: Loaded, home: Path) -> list[Row]:
    """Check the user's definitions, and what this machine can serve with them; `home` is `~/.picoclaw`."""
    from ...capabilities.registry import load_executors
    from ...roles.workflow_files import load_templates, usual_folder

    settings = loaded.settings
    capabilities = settings.capabilities.path or (home / "capabilities",)
    workflows = settings.workflows.path or (usual_folder(home),)
    rows = [
        _read("capability files", capabilities, lambda: load_executors(capabilities), "capabilities"),
        _read("workflow files", workflows, lambda: load_templates(workflows), "workflows validate"),
    ]
    return rows + (_ready(capabilities) if rows[0].status == "ok" else [])


def _read(name: str, paths: Sequence[Path], load: Callable[[], object], verb: str) -> Row:
    try:
        load()
    except PicoclawError as error:
        return failed(name, str(error), f"correct it; `picoclaw {verb}` reads it again")
    there = [str(path) for path in paths if path.exists()]
    return ok(name, f"valid: {', '.join(there)}" if there else "none")


def _ready(paths: Sequence[Path]) -> list[Row]:
    from ...capabilities.inventory import inventory
    from ...capabilities.registry import NEEDS_MODEL, load_executors

    offered = inventory(load_executors(paths))
    ready = ", ".join(one.name for one in offered if one.ready) or "none"
    rows = [ok("capabilities", f"ready: {ready}")]
    for one in offered:
        if one.ready or one.name in NEEDS_MODEL or not one.by:
            continue
        if one.by == "analyzers":
            rows.append(ok("capabilities", f"{one.name}, optional: {one.needs}"))
        else:
            rows.append(warning("capabilities", f"{one.name} of {one.place} is not ready", one.needs))
    model = [one.name for one in offered if one.name in NEEDS_MODEL and not one.ready]
    return [*rows, *([ok("capabilities", f"{', '.join(model)}: only with a model")] if model else [])]
