"""Workflow templates: plans that stand in YAML, for requests that need no model to plan them."""

from collections.abc import Sequence
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ...config.names import STEP
from ...config.spelling import did_you_mean
from ...errors import PlanError
from ...swarm.records import Request
from .match import asks_for

Unroutable = Literal["wait", "fail", "skip", "local"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TemplateMatch(_Strict):
    """When a template serves a request that does not name it; see `match.asks_for`."""

    repository: bool = False
    """The request must bring a repository."""
    asks: tuple[str, ...] = ()
    """Phrases, one of which must begin a clause of the request; empty: only by name."""
    unless: tuple[str, ...] = ()
    """Phrases that must begin no clause of it."""
    skip: tuple[str, ...] = ()
    """Words that may stand before either."""


class TemplateDefaults(_Strict):
    """What each task has that does not say otherwise."""

    repository: bool = True
    """Pass on the request's repository, if it has one."""
    unroutable: Unroutable = "wait"
    grace_s: Annotated[float, Field(ge=0)] = 10.0
    """Seconds without a live node before `unroutable` acts."""
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Longest run of one attempt, in seconds."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3


class TemplateTask(_Strict):
    """One task; what is None is taken from the defaults."""

    step: str
    title: str = ""
    demand: str
    input: dict[str, JsonValue] = Field(default_factory=dict)
    after: tuple[str, ...] = ()
    needs: Literal["all", "settled"] = "all"
    priority: Annotated[int, Field(ge=0, le=3)] | None = None
    repository: bool | None = None
    unroutable: Unroutable | None = None
    grace_s: Annotated[float, Field(ge=0)] | None = None
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None


class Template(_Strict):
    """A plan in waiting: when it serves, its tasks, and how their results are joined."""

    name: Annotated[str, Field(pattern=f"^{STEP.pattern}$")]
    title: str = ""
    match: TemplateMatch = TemplateMatch()
    defaults: TemplateDefaults = TemplateDefaults()
    tasks: Annotated[tuple[TemplateTask, ...], Field(min_length=1)]
    join: str = "plain"


_MODELS: dict[str, type[BaseModel]] = {
    "match": TemplateMatch,
    "defaults": TemplateDefaults,
    "tasks": TemplateTask,
}


def read_template(text: str, source: str) -> Template:
    """Read one template from YAML; `source` is what messages call it.

    Raises PlanError in one line that names the source, the key and the nearest valid one.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise PlanError(f"template {source} is not valid YAML: {where}{problem}") from None
    if not isinstance(data, dict):
        raise PlanError(f"template {source} is not a mapping: it needs at least name and tasks")
    try:
        return Template.model_validate(data)
    except ValidationError as error:
        raise PlanError(f"template {source}: {_in_words(error)}") from None


def _in_words(error: ValidationError) -> str:
    """Say what the problem is and where; an unknown key is named with the nearest one."""
    found = error.errors(include_input=False, include_url=False)
    # A key misspelt is also a key missing: the misspelling is the one to name.
    first = next((entry for entry in found if entry["type"] == "extra_forbidden"), found[0])
    loc = first["loc"]
    where = ".".join(str(part) for part in loc)
    if first["type"] == "extra_forbidden":
        model = _MODELS.get(str(loc[0]), Template) if len(loc) > 1 else Template
        return f"unknown key {where}{did_you_mean(str(loc[-1]), model.model_fields)}"
    if first["type"] == "missing":
        return f"key {where} is missing: add it"
    return f"key {where}: {first['msg'][:1].lower()}{first['msg'][1:]}"


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
    """Return the template that the request names, else the first that matches, else None.

    Raises PlanError for a name that no template has, and for one that needs a repository which the
    request does not bring.
    """
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
            if template.match.repository and request.repository is None:
                raise PlanError(
                    f"template {name!r} needs a repository and the request brings none: "
                    "add --repo DIR or --repo URL"
                )
            return template
    known = ", ".join(names) or "none"
    raise PlanError(f"no template is called {name[:100]!r}{did_you_mean(name, names)} (templates: {known})")
