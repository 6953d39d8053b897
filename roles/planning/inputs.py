"""The declared inputs of a template: what they may be, and whether a request's values are that."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ...config.spelling import did_you_mean
from ...errors import PlanError
from ...swarm.records import RepositoryRef

InputType = Literal["text", "number", "flag", "list", "files", "repositories"]
LISTS: frozenset[str] = frozenset({"list", "files", "repositories"})
"""The types that a step can fan out over."""
INPUT_NAME = r"[a-z][a-z0-9_-]{0,47}"

_WORDS: Mapping[InputType, str] = {
    "text": "a text",
    "number": "a number",
    "flag": "true or false",
    "list": "a list",
    "files": "a list of paths",
    "repositories": "a list of repositories",
}


class Input(BaseModel):
    """One input that a template declares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: InputType = "text"
    description: str = ""
    required: bool = False
    default: JsonValue = None
    pattern: Annotated[tuple[str, ...], Field(min_length=1)] | str | None = None
    """Of `files`: which of the folder's files it holds when nobody names any, as `tests/**/test_*.py`."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of `files`; none: all files."""
        return (self.pattern,) if isinstance(self.pattern, str) else self.pattern or ()


def check_declared(name: str, declared: Input) -> None:
    """Raise PlanError, which begins with the key, for a declaration that contradicts itself."""
    if declared.required and declared.default is not None:
        raise PlanError(f"key inputs.{name}: it is required and has a default: keep one of the two")
    if declared.pattern is not None and declared.type != "files":
        raise PlanError(f"key inputs.{name}.pattern: only an input of type files has a pattern")
    if declared.type == "repositories" and declared.default is not None:
        raise PlanError(f"key inputs.{name}.default: repositories are the sender's to name: leave it out")
    if declared.default is not None:
        try:
            check_value(name, declared, declared.default)
        except PlanError as error:
            raise PlanError(f"key inputs.{name}.default: {error}") from None


def take_inputs(declared: Mapping[str, Input], given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the value of each declared input; None for one that is not set and has no default.

    Raises PlanError for one that is not declared, is missing or of another type.
    """
    for name in given:
        if name not in declared:
            known = ", ".join(declared)
            raise PlanError(
                f"there is no input {name[:100]!r}{did_you_mean(name, declared)} (inputs: {known})"
            )
    values: dict[str, JsonValue] = {}
    for name, one in declared.items():
        value = given.get(name)
        value = one.default if value is None else value
        if one.required and (value is None or value == []):
            what = "is an empty list" if value == [] else "is missing"
            # Both are made by the sender, of its own folders.
            verb = "`picoclaw workflows run` and " if one.type in ("files", "repositories") else ""
            raise PlanError(f"input {name!r} {what}: give {_WORDS[one.type]} with {verb}--input {name}=…")
        values[name] = check_value(name, one, value) if value is not None else None
    return values


def check_value(name: str, declared: Input, value: JsonValue) -> JsonValue:
    """Return the value; raises PlanError when it is not of the declared type."""
    if not _fits(declared.type, value):
        raise PlanError(f"input {name!r} is {kind_of(value)}, and is to be {_WORDS[declared.type]}")
    if declared.type == "repositories":
        assert isinstance(value, list)
        for i, entry in enumerate(value):
            read_repository(entry, f"input {name!r}, entry {i + 1}")
    return value


def read_repository(value: JsonValue, what: str) -> RepositoryRef:
    """Return the reference that a value holds; raises PlanError when it holds none."""
    try:
        found = RepositoryRef.model_validate(value)
    except ValidationError:
        raise PlanError(
            f"{what} is no reference to a repository: send it with `picoclaw workflows run`"
        ) from None
    if found.url is None and found.snapshot is None and not found.label:
        raise PlanError(f"{what} names no repository: send it with `picoclaw workflows run`")
    return found


def kind_of(value: JsonValue) -> str:
    """Name the kind of a value, for messages."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, Sequence) else "a mapping"


def _fits(kind: InputType, value: JsonValue) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "flag":
            return isinstance(value, bool)
        case "files":
            return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        case _:
            return isinstance(value, list)
