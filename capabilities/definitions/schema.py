"""The form of a definition: what each key may hold. Every scalar comes as the text in the file."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, ParamSpec, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ...config.durations import parse_duration
from ...errors import ConfigError
from .sizes import parse_size
from .substitution import OF_THE_END, Pattern, read_pattern

Meaning = Literal["done", "failed", "retry"]
Directory = Literal["workspace", "checkout", "worktree"]
ResultForm = Literal["text", "json", "lines", "all"]

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
SUMMARY_ALSO = (*OF_THE_END, "result")
LONGEST = timedelta(days=7)
LONGEST_PAUSE = timedelta(days=1)


P = ParamSpec("P")
T = TypeVar("T")


def _told(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a reader; its ConfigError becomes a ValueError, to which pydantic adds where it was."""
    try:
        return read(*args, **kwargs)
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _duration(text: object) -> object:
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str):
        raise ValueError("give a duration such as 30s or 5m")  # noqa: TRY004 - what pydantic reports
    found = _told(parse_duration, text)
    if not timedelta(0) < found <= LONGEST:
        raise ValueError(f"{text} is out of range: give more than 0s and at most 168h")
    return found


def _grace(text: object) -> object:
    if isinstance(text, str) and text.strip() in ("0", "0s"):
        return timedelta(0)
    return _duration(text)


def _pause(text: object) -> object:
    found = _grace(text)
    if isinstance(found, timedelta) and found > LONGEST_PAUSE:
        raise ValueError(f"{text} is out of range: give 0s to 24h")
    return found


def _size(text: object) -> object:
    return _told(parse_size, text) if isinstance(text, str) else text


def _pattern(text: object) -> object:
    return _told(read_pattern, text) if isinstance(text, str) else text


def _argument(text: object) -> object:
    return _told(read_pattern, text, whole_list=True) if isinstance(text, str) else text


def _summary(text: object) -> object:
    return _told(read_pattern, text, also=SUMMARY_ALSO) if isinstance(text, str) else text


def _one_or_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Grace = Annotated[timedelta, BeforeValidator(_grace)]
Pause = Annotated[timedelta, BeforeValidator(_pause)]
Size = Annotated[int, BeforeValidator(_size)]
Template = Annotated[Pattern, BeforeValidator(_pattern)]
Argument = Annotated[Pattern, BeforeValidator(_argument)]
Summary = Annotated[Pattern, BeforeValidator(_summary)]
Words = Annotated[tuple[str, ...], BeforeValidator(_one_or_list)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class EnvDefinition(_Strict):
    """What the child sees of the environment; a list is short for `pass`."""

    pass_: Annotated[Words, Field(alias="pass")] = ()
    """Variables of the node that it is given and cannot do without."""
    pass_if_set: Words = ()
    """Variables of the node that it is given where they are set."""
    set: dict[str, Template] = Field(default_factory=dict)
    """Variables with a value of their own."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"pass": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [*self.pass_, *self.pass_if_set, *self.set]
        for name in names:
            if "=" in name:
                raise ValueError(f"{name.partition('=')[0]!r} gets a value: write it below env: set:")
            if not VARIABLE.fullmatch(name):
                raise ValueError(f"{name[:60]!r} is not a variable's name: use letters, digits and _")
            if name.startswith(("TASK_", "LD_", "DYLD_")) and name in self.set:
                raise ValueError(f"{name} is not for a definition to set: choose another name")
            if names.count(name) > 1:
                raise ValueError(f"{name} stands there twice: keep one")
        return self


class LimitsDefinition(_Strict):
    """Limits of each process of the child, as the kernel enforces them."""

    memory: Size | None = None
    """Bytes of address space (Linux)."""
    cpu: Duration | None = None
    """Processor time."""
    file_size: Size | None = None
    """Bytes of the largest file that it may write."""
    open_files: Annotated[int, Field(ge=16, le=1_000_000)] | None = None


class RetryDefinition(_Strict):
    """How failed attempts go on, where neither the request nor its workflow says otherwise."""

    attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    delay: Pause | None = None
    """Before the second attempt; it doubles from then on."""
    longest: Pause | None = None
    """The longest such pause."""
    final: Words = ()
    """Shell patterns of errors that no further attempt can mend."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.delay is not None and self.longest is not None and self.longest < self.delay:
            raise ValueError("longest is below delay: raise it, or leave it out")
        for pattern in self.final:
            if not pattern.strip():
                raise ValueError("final: an empty pattern fits no error: remove it")
        return self


class CommonDefinition(_Strict):
    """What every definition may say."""

    description: str = ""
    timeout: Duration = timedelta(minutes=10)
    """Longest run of one attempt."""
    grace: Grace = timedelta(seconds=2)
    """Between SIGTERM and SIGKILL."""
    directory: Directory = "workspace"
    env: EnvDefinition = EnvDefinition()
    needs: Words = ()
    """Programs that must be on the PATH."""
    limits: LimitsDefinition = LimitsDefinition()
    retry: RetryDefinition = RetryDefinition()
    artifacts: Words = ()
    """Patterns of files in the working directory that are kept with the result."""
    output_limit: Size = 256 * 2**10
    """Bytes of output that a result carries; all of a longer one is kept as an artifact."""
    output_cap: Size = 64 * 2**20
    """Bytes of output at which the child is ended."""
    summary: Summary | None = None
    """One line for people."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.output_limit > self.output_cap:
            raise ValueError("output_limit is above output_cap, at which the child is ended: lower it")
        for pattern in self.artifacts:
            if not pattern or pattern.startswith("/") or ".." in pattern.split("/") or "\0" in pattern:
                raise ValueError(
                    f"artifacts: {pattern[:60]!r} leaves the working directory: name files in it"
                )
        return self


class CommandDefinition(CommonDefinition):
    """A program as a capability."""

    command: tuple[Argument, ...] | None = None
    """The program and its arguments, each as it is: no shell reads them."""
    shell: str | None = None
    """A script for `sh -c`; what the task brings comes in variables."""
    stdin: Template | None = None
    exit_codes: Mapping[str, Meaning] = Field(default_factory=dict)
    """By number, or `other`, `signal`, `timeout`."""
    result: ResultForm = "text"
    result_path: str | None = None
    """The way into the JSON that it printed: `items.0.name`."""

    @model_validator(mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("command"), str):
            raise ValueError(  # noqa: TRY004 - what pydantic reports
                "command is a text: write it as a list, one entry per argument, or use shell:"
            )
        return value

    @model_validator(mode="after")
    def _command(self) -> Self:
        if (self.command is None) == (self.shell is None):
            raise ValueError("it takes either command: or shell:, and one of them")
        if self.shell is not None and not self.shell.strip():
            raise ValueError("shell is empty: write the script, or use command:")
        if self.command is not None:
            self._check_program(self.command)
        for code in self.exit_codes:
            if code not in ("other", "signal", "timeout") and not (code.isdecimal() and int(code) <= 255):
                raise ValueError(
                    f"exit_codes: {code[:40]!r} is none: write 0 to 255, other, signal or timeout"
                )
        if self.exit_codes.get("timeout") == "done":
            raise ValueError("exit_codes: a time-out cannot be done: write failed or retry")
        if self.result_path is not None and self.result != "json":
            raise ValueError("result_path goes into JSON: add result: json")
        return self

    @staticmethod
    def _check_program(command: tuple[Pattern, ...]) -> None:
        if not command or not command[0].parts:
            raise ValueError("command is empty: name a program")
        for reference in command[0].references:
            if reference.name != "here":
                raise ValueError(f"the program itself cannot come from a task ({reference}): name it")


class FunctionDefinition(CommonDefinition):
    """A Python callable as a capability."""

    function: str
    """`module:callable`, the module beside the file or installed."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not FUNCTION.fullmatch(self.function):
            raise ValueError(f"function {self.function[:80]!r} is not module:callable, such as tools:count")
        return self
