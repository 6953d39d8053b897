"""Workflow templates: plans that stand in YAML, for requests that need no model to plan them."""

import re
from collections.abc import Sequence
from importlib import resources

from pydantic import BaseModel, JsonValue, ValidationError

from ...config.document import Document, Way
from ...config.plain_yaml import YamlMistake
from ...config.spelling import did_you_mean
from ...errors import PlanError
from ...swarm.records import Request
from ..synthesis.table_options import TableOptions
from .check import check_template
from .document import read_document
from .inputs import Input
from .match import asks_for
from .template_model import Template, TemplateDefaults, TemplateMatch, TemplateTask

__all__ = [
    "Template",
    "TemplateTask",
    "asks_for_template",
    "find_template",
    "read_template",
    "shipped_templates",
    "template_of",
]

_MODELS: dict[str, type[BaseModel]] = {
    "match": TemplateMatch,
    "inputs": Input,
    "defaults": TemplateDefaults,
    "tasks": TemplateTask,
    "join": TableOptions,
}
_KEY = re.compile(r"(?:unknown )?key ([^\s:;]+)")
_INDEX = re.compile(r"[0-9]{1,9}")
_STEP = re.compile(r"step '([^']+)'|before: (\S+) →")


def read_template(text: str, source: str) -> Template:
    """Read one template from YAML; `source` is what messages call it.

    Raises PlanError in one line that names the source, the line, the key and the nearest valid one.
    """
    try:
        document = read_document(text)
    except YamlMistake as mistake:
        raise PlanError(f"template {source} is not valid YAML: {mistake}") from None
    if not isinstance(document.data, dict):
        raise PlanError(f"template {source} is not a mapping: it needs at least name and tasks")
    try:
        return _validated(document.data)
    except PlanError as error:
        line = _line(document, str(error))
        raise PlanError(f"template {source}{f', line {line}' if line else ''}: {error}") from None


def template_of(data: JsonValue) -> Template:
    """Return the template that travels with a request; as strict as `read_template`. Raises PlanError."""
    if not isinstance(data, dict):
        raise PlanError("the request's workflow is not a mapping: it needs at least name and tasks")
    try:
        return _validated(data)
    except PlanError as error:
        raise PlanError(f"the request's workflow: {error}") from None


def _validated(data: dict[str, JsonValue]) -> Template:
    try:
        template = Template.model_validate(data)
    except ValidationError as error:
        raise PlanError(_in_words(error, data)) from None
    check_template(template)
    return template


def _in_words(error: ValidationError, data: JsonValue) -> str:
    """Say what the problem is and where; an unknown key is named with the nearest one."""
    found = error.errors(include_input=False, include_url=False)
    # A key misspelt is also a key missing: the misspelling is the one to name.
    first = next((entry for entry in found if entry["type"] == "extra_forbidden"), found[0])
    loc = _way(first["loc"], data, absent=first["type"] == "missing")
    where = ".".join(str(part)[:100] or "''" for part in loc)
    if first["type"] == "extra_forbidden":
        model = _MODELS.get(str(loc[0]), Template) if len(loc) > 1 else Template
        names = [field.alias or name for name, field in model.model_fields.items()]
        return f"unknown key {where}{did_you_mean(str(loc[-1]), names)}"
    if first["type"] == "missing":
        return f"key {where} is missing: add it"
    if first["type"] == "string_pattern_mismatch":
        return f"key {where}: use 1 to 64 (an input: 48) of a-z, 0-9, '-' and '_', beginning with a letter or digit"
    return f"key {where}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _way(loc: Sequence[str | int], data: JsonValue, *, absent: bool) -> Way:
    """Return the part of a location that is of the file: without the names of types that were tried."""
    way: list[str | int] = []
    for i, part in enumerate(loc):
        if isinstance(data, dict) and part in data:
            data = data[str(part)]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif not (absent and i == len(loc) - 1):
            continue
        way.append(part)
    return tuple(way)


def _line(document: Document, said: str) -> int | None:
    """Return the line of the key, or else of the step, that a message names first."""
    key = _KEY.match(said)
    if key is not None:
        return document.line(
            tuple(int(part) if _INDEX.fullmatch(part) else part for part in key[1].split("."))
        )
    step = _STEP.search(said)
    tasks = document.data.get("tasks") if isinstance(document.data, dict) else None
    if step is not None and isinstance(tasks, list):
        for i, task in enumerate(tasks):
            if isinstance(task, dict) and task.get("step") in step.groups():
                return document.line(("tasks", i))
    return None


def shipped_templates() -> tuple[Template, ...]:
    """Return the templates that come with the package, by name.

    Reads package files. A user's own come first in the list that `find_template` is given.
    """
    folder = resources.files(__package__) / "templates"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda e: e.name
    )
    return tuple(read_template(entry.read_text(encoding="utf-8"), entry.name) for entry in files)


def asks_for_template(text: str, template: Template) -> bool:
    """Return whether the words alone ask for what the template does."""
    match = template.match
    return asks_for(text, match.asks, match.unless, match.skip)


def find_template(request: Request, templates: Sequence[Template]) -> Template | None:
    """Return the template that the request brings or names, else the first that matches, else None.

    Raises PlanError for a name that no template has, for one that needs a repository which the
    request does not bring, and for a template of its own that is wrong.
    """
    if request.workflow is not None:
        own = template_of(request.workflow)
        return _with_repository(own, request)
    if request.template is not None:
        return _by_name(request, request.template, templates)
    for template in templates:
        if template.match.repository and request.repository is None:
            continue
        if asks_for_template(request.text, template):
            return template
    return None


def _by_name(request: Request, name: str, templates: Sequence[Template]) -> Template:
    names = [template.name for template in templates]
    for template in templates:
        if template.name == name:
            return _with_repository(template, request)
    known = ", ".join(names) or "none"
    raise PlanError(f"no template is called {name[:100]!r}{did_you_mean(name, names)} (templates: {known})")


def _with_repository(template: Template, request: Request) -> Template:
    if template.match.repository and request.repository is None:
        raise PlanError(
            f"template {template.name!r} needs a repository and the request brings none: "
            "add --repo DIR or --repo URL"
        )
    return template
