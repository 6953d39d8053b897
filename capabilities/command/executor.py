"""A command as a capability: a program or script of the user's, run as a child."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ...config.durations import format_duration
from ...errors import FinalError, RetryableError
from ...swarm.records import ArtifactRef, QueuedTask, Result, Retry
from ..child.job import Job, limits_of, prepare
from ..child.keep import keep_change, keep_files, keep_output
from ..child.large import as_stored, check_readable, read_where_it_fits
from ..child.mask import Mask
from ..child.run import ChildEnd, ChildOrder, run_child
from ..child.words import last_words, log_of
from ..definitions.read import Definition
from ..definitions.readiness import ready_to_run
from ..definitions.retry import retry_of
from ..definitions.schema import CommandDefinition, Meaning
from ..definitions.sizes import format_size
from ..definitions.substitution import Pattern, Values, fill, fill_all
from ..executor import Context, Described, Readiness
from .result import is_text, make_summary, read_data
from .variables import script_variables

SHELL = "sh"
OF_LIMITS = {signal.SIGXCPU: "its limit of CPU time", signal.SIGXFSZ: "its limit of written files"}


@dataclass(frozen=True, slots=True)
class CommandExecutor:
    """Runs one command definition."""

    definition: Definition
    body: CommandDefinition

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({self.definition.name})

    @property
    def described(self) -> Described:
        return Described("command", self.definition.place, self.body.description)

    @property
    def retry(self) -> Retry | None:
        return retry_of(self.body)

    def readiness(self, capability: str) -> Readiness:
        """Return whether its programs and variables are here."""
        return ready_to_run(self.definition, [self._program()])

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Run it. Raises FinalError or RetryableError, as its exit codes say, with its last words."""
        body = self.body
        job = await prepare(self.definition, task, context, repository=self._wants_repository())
        order = self._order(job)

        async def tell(message: str, fraction: float | None) -> None:
            await context.progress(job.mask.text(message), fraction=fraction)

        try:
            end = await run_child(order, tell)
        except OSError as error:
            raise RetryableError(f"{self.definition.name}: no process can be started: {error}") from error
        self._judge(job, end)
        if body.result == "json":
            check_readable(self.definition.name, end.stdout.size)
        data = await asyncio.to_thread(lambda: job.mask.data(end.stdout.read()))
        text = await asyncio.to_thread(is_text, data)
        shown = data if end.stdout.whole else job.mask.data(end.stdout.shown)
        seconds = round(end.seconds, 3)
        facts: dict[str, JsonValue] = {"exit_code": end.code, "seconds": seconds}
        size = len(data) if body.result == "json" else 0
        told = (body, self.definition.name, data, shown, job.mask, job.values, end.stdout.size, facts)
        reading = await read_where_it_fits(_read, size, *told)
        found, summary = reading.data, reading.summary
        kept: list[ArtifactRef] = []
        if data and (not text or (not end.stdout.whole and body.result != "json")):
            kept.append(await keep_output(data, text, context))
        change = await keep_change(job, context)
        if change is not None:
            kept.append(change[0])
        kept += await keep_files(job, body.artifacts, context)
        if change is not None and body.summary is None:
            files = f"{change[1]} {'file' if change[1] == 1 else 'files'}"
            summary = f"{files} changed; changes.patch is for `git apply` on {_base(task)}"
        log = log_of(job.mask, end.stderr)
        if found == "":
            found = None
        if body.result == "all":
            found = {**facts, "stdout": found, "stderr": log or ""}
        result = Result(summary=summary, data=found, artifacts=tuple(kept), log=log)
        return await as_stored(result, reading, context)

    # --- what is run ---

    def _program(self) -> str:
        if self.body.command is None:
            return SHELL
        program = fill(self.body.command[0], {"here": str(self.definition.folder)})
        # Relative to the definition, as its writer sees it; the working directory is the job's.
        return str(self.definition.folder / program) if "/" in program else program

    def _order(self, job: Job) -> ChildOrder:
        body, env = self.body, job.env
        if body.shell is not None:
            argv = [SHELL, "-c", body.shell, self.definition.name]
            env = {**env, **script_variables(body.shell, job.values)}
        else:
            assert body.command is not None
            program = Pattern((self._program(),))
            argv = fill_all([program, *body.command[1:]], job.values)
        for place, text in (*((f"argument {n}", arg) for n, arg in enumerate(argv)), *env.items()):
            _check_carried(place, text)
        stdin = fill(body.stdin, job.values) if body.stdin is not None else None
        return ChildOrder(
            argv=tuple(argv),
            cwd=job.cwd,
            env=env,
            folder=job.folder,
            stdin=stdin.encode("utf-8", "replace") if stdin is not None else None,
            timeout=body.timeout,
            grace=body.grace,
            keep=body.output_limit,
            cap=body.output_cap,
            limits=limits_of(self.definition),
        )

    def _wants_repository(self) -> bool:
        """Return whether it is to be fetched: a script may look at it, a command says so."""
        if self.body.shell is not None:
            return True
        patterns = [*(self.body.command or ()), *self.body.env.set.values()]
        patterns += [pattern for pattern in (self.body.stdin, self.body.summary) if pattern is not None]
        return any(ref.name == "repository" for pattern in patterns for ref in pattern.references)

    # --- what became of it ---

    def _judge(self, job: Job, end: ChildEnd) -> None:
        name = self.definition.name
        if end.refused:
            raise FinalError(f"{name}: {self._program()} cannot be run: {end.refused}")
        meaning, what = meaning_of(self.body, end)
        if meaning == "done":
            return
        why = f"{name}: {what}: {last_words(job.mask, end.stderr, end.stdout.shown)}"
        raise FinalError(why) if meaning == "failed" else RetryableError(why)


def _read(
    body: CommandDefinition,
    name: str,
    data: bytes,
    shown: bytes,
    mask: Mask,
    values: Values,
    size: int,
    facts: Mapping[str, JsonValue],
) -> tuple[JsonValue, str]:
    found = mask.value(read_data(body, name, data, shown))
    return found, make_summary(body, values, found, size, facts)


def meaning_of(body: CommandDefinition, end: ChildEnd) -> tuple[Meaning, str]:
    """Return what an end means by the definition, and how it ended, in words."""
    codes: Mapping[str, Meaning] = {
        str(int(code)) if code.isdecimal() else code: told for code, told in body.exit_codes.items()
    }
    if end.flooded:
        return "failed", f"ended, as it printed more than {format_size(body.output_cap)}"
    if end.timed_out:
        return codes.get("timeout", "failed"), f"ended after {format_duration(body.timeout)}"
    if end.code is not None:
        usual: Meaning = "done" if end.code == 0 else codes.get("other", "failed")
        return codes.get(str(end.code), usual), f"exit code {end.code}"
    number = end.signal or 0
    limit = next((words for which, words in OF_LIMITS.items() if which == number), None)
    if limit is not None:
        return codes.get("signal", "failed"), f"ended at {limit}"
    return codes.get("signal", "retry"), f"ended by signal {number}"


def _check_carried(place: str, text: str) -> None:
    """Raise FinalError for what no argument or variable of a process can hold."""
    try:
        size = len(os.fsencode(text))
    except UnicodeEncodeError:
        size = -1
    if size < 0 or "\0" in text:
        raise FinalError(f"{place} holds a character that no argument can: hand it over by stdin:")
    if size >= 2**17:
        raise FinalError(
            f"{place} has {size:,} bytes and an argument at most 131,071: hand it over by stdin:"
        )


def _base(task: QueuedTask) -> str:
    reference = task.task.repository
    assert reference is not None
    if reference.commit:
        return reference.commit
    return f"{reference.label or 'the folder'} as it was sent"


def with_body(definition: Definition) -> CommandExecutor:
    """Return the executor of a definition that is a command."""
    assert isinstance(definition.body, CommandDefinition)
    return CommandExecutor(definition, definition.body)
