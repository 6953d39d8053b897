"""A function as a capability: called in a child process, so that it can be ended."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from pydantic import JsonValue

from ...config.durations import format_duration
from ...errors import FinalError, RetryableError
from ...swarm.records import ArtifactRef, QueuedTask, Result, Retry
from ..child.job import Job, limits_of, prepare
from ..child.keep import keep_change, keep_files
from ..child.large import as_stored, check_readable, read_where_it_fits
from ..child.mask import Mask
from ..child.run import ChildEnd, ChildOrder, run_child
from ..child.words import last_words, log_of
from ..command.result import filled_summary
from ..definitions.read import Definition
from ..definitions.readiness import ready_to_run
from ..definitions.retry import retry_of
from ..definitions.schema import FunctionDefinition
from ..definitions.sizes import format_size
from ..definitions.substitution import Values
from ..executor import Context, Described, Readiness
from ..tool import python_argv
from .answer import ANSWER, read_answer, summary_of

CALL = Path(__file__).parent / "call.py"


@dataclass(frozen=True, slots=True)
class FunctionExecutor:
    """Calls one function."""

    definition: Definition
    body: FunctionDefinition

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({self.definition.name})

    @property
    def described(self) -> Described:
        return Described("function", self.definition.place, self.body.description)

    @property
    def retry(self) -> Retry | None:
        return retry_of(self.body)

    def readiness(self, capability: str) -> Readiness:
        """Return whether its module, programs and variables are here; imports nothing."""
        top = self.body.function.partition(":")[0].partition(".")[0]
        if PathFinder.find_spec(top, [str(self.definition.folder), *sys.path]) is None and (
            top not in sys.builtin_module_names
        ):
            return Readiness(False, f"needs module {top}: put {top}.py beside the definition, or install it")
        return ready_to_run(self.definition, ())

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Call it. Raises FinalError or RetryableError with what it raised."""
        name = self.definition.name
        job = await prepare(self.definition, task, context, repository=True)
        answer = job.folder / ANSWER

        async def tell(message: str, fraction: float | None) -> None:
            await context.progress(job.mask.text(message), fraction=fraction)

        try:
            end = await run_child(await asyncio.to_thread(self._order, job, answer), tell)
        except OSError as error:
            raise RetryableError(f"{name}: no process can be started: {error}") from error
        data = await asyncio.to_thread(self._answer, job, answer, end)
        facts: dict[str, JsonValue] = {"exit_code": 0, "seconds": round(end.seconds, 3)}
        reading = await read_where_it_fits(
            _read, len(data), self.body, name, data, job.mask, job.values, facts
        )
        kept: list[ArtifactRef] = []
        change = await keep_change(job, context)
        if change is not None:
            kept.append(change[0])
        kept += await keep_files(job, self.body.artifacts, context)
        log = log_of(job.mask, end.stdout.shown, end.stderr)
        result = Result(summary=reading.summary, data=reading.data, artifacts=tuple(kept), log=log)
        return await as_stored(result, reading, context)

    def _order(self, job: Job, answer: Path) -> ChildOrder:
        order = job.folder / "call.json"
        told = {
            "function": self.body.function,
            "here": str(self.definition.folder),
            "values": job.values,
            "cwd": str(job.cwd),
            "answer": str(answer),
        }
        order.write_text(json.dumps(told), encoding="utf-8")
        return ChildOrder(
            argv=tuple(python_argv(CALL, str(order))),
            cwd=job.cwd,
            env=job.env,
            folder=job.folder,
            timeout=self.body.timeout,
            grace=self.body.grace,
            keep=self.body.output_limit,
            cap=self.body.output_cap,
            limits=limits_of(self.definition),
        )

    def _answer(self, job: Job, answer: Path, end: ChildEnd) -> bytes:
        """Return what it wrote down; raises the error that says why there is nothing."""
        name = self.definition.name
        said = last_words(job.mask, end.stderr, end.stdout.shown)
        if end.flooded:
            raise FinalError(f"{name}: ended, as it printed more than {format_size(self.body.output_cap)}")
        if end.timed_out:
            raise FinalError(f"{name}: ended after {format_duration(self.body.timeout)}: {said}")
        if end.refused:
            raise FinalError(f"{name}: Python cannot be run: {end.refused}")
        if end.signal is not None:
            raise RetryableError(f"{name}: its process was ended by signal {end.signal}: {said}")
        if not answer.is_file():
            raise FinalError(
                f"{name}: it ended its process (exit code {end.code}) instead of returning: {said}"
            )
        check_readable(name, answer.stat().st_size)
        return job.mask.data(answer.read_bytes())


def _read(
    body: FunctionDefinition,
    name: str,
    data: bytes,
    mask: Mask,
    values: Values,
    facts: Mapping[str, JsonValue],
) -> tuple[JsonValue, str]:
    value = mask.value(read_answer(name, data))
    if body.summary is None:
        return value, summary_of(value)
    return value, filled_summary(body.summary, values, value, facts)


def with_body(definition: Definition) -> FunctionExecutor:
    """Return the executor of a definition that is a function."""
    assert isinstance(definition.body, FunctionDefinition)
    return FunctionExecutor(definition, definition.body)
