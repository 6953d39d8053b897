"""From YAML files to profiles and policies: each with its place, or one line that says what is wrong where."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ....config.document import Way
from ....config.plain_yaml import read_text
from ....config.spelling import did_you_mean
from ....config.yaml_file import YamlFile, read_yaml_file
from ....errors import ConfigError, NameRefused
from ...definitions.files import definition_files
from ..approvals.policy import Policy
from .profile import Profile
from .schema import LONGEST_SYSTEM, BudgetForm, PolicyForm, ProfileForm, check_agent_name

M = TypeVar("M", bound=BaseModel)
_INNER: Mapping[str, type[BaseModel]] = {"budget": BudgetForm, "policy": PolicyForm}


def read_profiles(paths: Sequence[Path]) -> tuple[Profile, ...]:
    """Return the profiles of all files, in the order of the files.

    Raises ConfigError for the first mistake, with file and line, and for a name that two of them have.
    """
    found: dict[str, Profile] = {}
    for file in definition_files(paths):
        for profile in _read_file(file):
            other = found.get(profile.name)
            if other is not None:
                raise ConfigError(
                    f"{profile.place}: agent {profile.name!r} is defined already in {other.place}: "
                    "rename or remove one"
                )
            found[profile.name] = profile
    return tuple(found.values())


def read_policy(file: Path) -> Policy:
    """Return the policy that a file holds: `default`, `allow`, `ask`, `deny`. Raises ConfigError."""
    parsed = read_yaml_file(file)
    if not isinstance(parsed.document.data, dict):
        raise ConfigError(f"{file}: no policy stands there: write deny:, ask:, allow: or default:")
    return _model(PolicyForm, parsed.document.data, parsed, (), str(file)).policy


def _read_file(file: Path) -> list[Profile]:
    parsed = read_yaml_file(file)
    data = parsed.document.data
    if data is None:
        return []
    if not isinstance(data, dict):
        raise ConfigError(f"{parsed.place()}: not a mapping: write `name:` and the agent's keys")
    if "name" in data:
        body = dict(data)
        return [_one(parsed, (), body, body.pop("name"), ("name",))]
    if "agents" not in data and any(key in ProfileForm.model_fields for key in data):
        return [_one(parsed, (), dict(data), parsed.path.stem, ())]
    for key in data:
        if key != "agents":
            hint = (
                ": indent it below the agent's name"
                if key in ProfileForm.model_fields
                else did_you_mean(key, ("agents", "name"))
            )
            raise ConfigError(
                f"{parsed.place((key,))}: unknown key {key[:80]!r}"
                f"{hint or ': a file holds `name:` and the keys of one agent, or `agents:` with several'}"
            )
    several = data.get("agents")
    if several is None:
        return []
    if not isinstance(several, dict):
        raise ConfigError(
            f"{parsed.place(('agents',))}: agents is not a mapping: write NAME: and its keys below"
        )
    return [_one(parsed, ("agents", name), body, name, ("agents", name)) for name, body in several.items()]


def _one(parsed: YamlFile, way: Way, body: Any, name: Any, named: Way) -> Profile:
    place = parsed.place(named)
    if not isinstance(name, str):
        raise ConfigError(f"{place}: name is no text: write the agent's name")
    try:
        check_agent_name(name)
    except NameRefused as error:
        raise ConfigError(f"{place}: {error}") from None
    if not isinstance(body, dict):
        raise ConfigError(f"{place}: {name} is not a mapping: write its keys below it, such as system:")
    form = _model(ProfileForm, body, parsed, way, f"{place}: {name}")
    system = form.system or _system_file(form, parsed, way, name)
    return profile_of(form, name, system=system, place=place)


def profile_of(form: ProfileForm, name: str, *, system: str, place: str) -> Profile:
    """Return the profile that a form describes."""
    return Profile(
        name=name,
        description=" ".join(form.description.split()),
        models=form.model,
        system=system,
        tools=form.tools,
        skills=form.skills,
        mcp=form.mcp,
        capabilities=form.capabilities,
        budget=form.budget.budget,
        policy=form.policy.policy,
        max_tokens=form.max_tokens,
        place=place,
    )


def _system_file(form: ProfileForm, parsed: YamlFile, way: Way, name: str) -> str:
    if not form.system_file:
        return ""
    file = parsed.path.parent / Path(form.system_file).expanduser()
    place = f"{parsed.place((*way, 'system_file'))}: {name}: system_file"
    try:
        text = read_text(file, str(file))
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    if len(text) > LONGEST_SYSTEM:
        raise ConfigError(f"{place}: {file} is over {LONGEST_SYSTEM} characters: shorten it")
    return text


def _model(model: type[M], body: Mapping[str, Any], parsed: YamlFile, way: Way, who: str) -> M:
    for key, value in body.items():
        if value is None:
            raise ConfigError(f"{parsed.place((*way, key))}: {key} is empty: fill it in or remove it")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ConfigError(_in_words(error, parsed, way, who, model)) from None


def _in_words(error: ValidationError, parsed: YamlFile, way: Way, who: str, model: type[BaseModel]) -> str:
    found = error.errors(include_input=False, include_url=False)
    first = next((entry for entry in found if entry["type"] == "extra_forbidden"), found[0])
    loc: Way = first["loc"]
    place = f"{parsed.place((*way, *loc))}: {who.rpartition(': ')[2]}" if loc else who
    where = ".".join(str(part) for part in loc)
    if first["type"] == "extra_forbidden":
        inner = _INNER.get(str(loc[0]), model) if len(loc) > 1 else model
        known, key = sorted(inner.model_fields), str(loc[-1])[:80]
        known = [*known, "name"] if inner is ProfileForm else known
        hint = did_you_mean(key, known) or f": known are {', '.join(known)}"
        return f"{place}: unknown key {where[:100]!r}{hint}"
    message = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    message = message[:1].lower() + message[1:] if first["type"] != "value_error" else message
    return f"{place}: {where}: {message}" if where else f"{place}: {message}"
