"""A coding CLI as an agent: one run of the program, in a work tree where the task has a repository."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue

from ....errors import ExecutionError, FinalError, RetryableError
from ....swarm.records import ArtifactRef, QueuedTask, Result
from ....swarm.tracing import names
from ...child.job import Job, prepare
from ...child.keep import keep_change, mask_folder
from ...child.run import ChildEnd, ChildOrder, run_child
from ...child.words import last_words, log_of
from ...command.executor import meaning_of
from ...definitions.read import Definition
from ...definitions.schema import CommandDefinition
from ...executor import Context
from ...removal import remove
from ...repository.worktree import changes
from ..approvals.handed_on import held_to
from ..approvals.policy import Policy
from ..prompt import task_prompt
from ..traced import agent_span
from ..workspace.change import hand_in_change
from ..workspace.files import hand_in_files
from .account import Account, passing
from .known import CodingCli
from .paying import Payment

TIMEOUT = timedelta(hours=1)
LONGEST_TEXT = 256 * 2**10
"""Characters of an answer that a result carries."""
NETWORK = (
    "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
    "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE",
)  # fmt: skip
"""Variables without which a program reaches nothing where a proxy stands between."""
_MODEL = re.compile(r"[A-Za-z0-9][\w./:@+-]{0,127}", re.ASCII)
_WORDS = 600
"""Characters of its own words in an error."""


@dataclass(frozen=True, slots=True)
class CodingRun:
    """Carries out one task."""

    cli: CodingCli
    key: str | None
    """The variable whose key it may have."""

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Run it. Raises FinalError or RetryableError with its last words, and with what it had cost."""
        self._check_policies(task)
        payment = await Payment.begin(self.cli, task, context)
        account, lost = Account(), False
        try:
            definition = self._definition(task)
            assert isinstance(definition.body, CommandDefinition)
            job = await prepare(definition, task, context, repository=True)
            # Its first word is ours: one that begins with `/` would be a command of the program.
            message = f"Task:\n{task_prompt(task, None)}\n".encode("utf-8", "replace")
            there = set(self._left_by_itself(job.cwd))
            usd = None if payment is None else payment.usd
            order = await self._order(job, definition.body, message, [*self._model(task), *self._limit(usd)])

            async def tell(said: str, fraction: float | None) -> None:
                await context.progress(job.mask.text(said), fraction=fraction)

            with agent_span(self.cli.name, task.id) as here:
                try:
                    lost = True  # until it is known how it ended
                    end = await run_child(order, tell)
                except OSError as error:
                    lost = False
                    raise RetryableError(f"{self.cli.name}: no process can be started: {error}") from error
                account = await asyncio.to_thread(self._read, job, end)
                here.set(tokens_of(account))
            lost = not end.refused and (end.code in (None, 0) or end.stdout.size > 0)
            self._judge(job, definition.body, end, account)
        except ExecutionError as error:
            if payment is not None:
                await payment.end(account, why=str(error), lost=lost)
            raise
        if payment is not None:
            await payment.end(account)
        for path in set(self._left_by_itself(job.cwd)) - there:
            await asyncio.to_thread(_discard, path)
        kept, changed = await _kept(job, task, context)
        missing = f"(partial: {account.stopped})" if account.stopped else ""
        return Result(
            summary="\n\n".join(filter(None, (account.text.strip()[:LONGEST_TEXT], changed, missing))),
            data=data_of(account),
            artifacts=kept,
            log="; ".join(filter(None, (in_figures(self.cli.name, account), log_of(job.mask, end.stderr)))),
            partial=account.stopped or None,
        )

    def _check_policies(self, task: QueuedTask) -> None:
        """Raise FinalError for a task of an agent that is held to rules: the program would not keep them."""
        if held_to(Policy(), task).also:
            raise FinalError(
                f"{self.cli.name} keeps to its own fences, not to the rules that the agent is held to which handed "
                "this on: do it there, or hand it to an agent of picoclaw"
            )

    def _read(self, job: Job, end: ChildEnd) -> Account:
        printed = job.mask.data(end.stdout.read()).decode("utf-8", "replace")
        if not printed.strip():
            # Some tell of their failure on standard error, in the same form.
            told = self.cli.read(job.mask.data(end.stderr).decode("utf-8", "replace"))
            if told.understood:
                return told
        return self.cli.read(printed)

    def _definition(self, task: QueuedTask) -> Definition:
        body = CommandDefinition.model_validate(
            {
                "command": [self.cli.name],
                "directory": "workspace" if task.task.repository is None else "worktree",
                "env": {
                    "pass": [self.key] if self.key is not None else list(self.cli.keys[:1]),
                    "pass_if_set": [*self.cli.addresses, *NETWORK],
                },
                "timeout": TIMEOUT,
            }
        )
        return Definition(name=self.cli.name, place="picoclaw", folder=Path(), body=body)

    def _model(self, task: QueuedTask) -> list[str]:
        """Return how it is told the model that the task names. Raises FinalError for what is no name."""
        model = task.task.input.get("model")
        if model is None:
            return []
        if not isinstance(model, str) or not _MODEL.fullmatch(model):
            raise FinalError(f"the task's input `model` is no name of a model of {self.cli.name}")
        return ["--model", model]

    def _limit(self, usd: float | None) -> list[str]:
        return [] if usd is None else [self.cli.usd_option, f"{usd:.4f}"]

    async def _order(
        self, job: Job, body: CommandDefinition, message: bytes, options: list[str]
    ) -> ChildOrder:
        argv = [self.cli.name, *self.cli.arguments, *options]
        stdin: bytes | None = message
        if self.cli.message_option:
            file = Path(job.env["TMPDIR"]) / "task.md"
            await asyncio.to_thread(file.write_bytes, message)
            argv += [self.cli.message_option, str(file)]
            stdin = None
        return ChildOrder(
            argv=tuple(argv),
            cwd=job.cwd,
            env={**job.env, **dict(self.cli.variables)},
            folder=job.folder,
            stdin=stdin,
            timeout=body.timeout,
            grace=body.grace,
            keep=body.output_limit,
            cap=body.output_cap,
        )

    def _left_by_itself(self, folder: Path) -> Iterable[Path]:
        return folder.glob(self.cli.leaves) if self.cli.leaves else ()

    def _judge(self, job: Job, body: CommandDefinition, end: ChildEnd, account: Account) -> None:
        name = self.cli.name
        if end.refused:
            raise FinalError(f"{name}: it cannot be run: {end.refused}")
        meaning, what = meaning_of(body, end)
        if not account.problem and (meaning == "done" or account.stopped):
            return
        said = " ".join(account.problem.split())[:_WORDS]
        if meaning != "done":
            # Of a program that did not get to its account, what it said last is the better word.
            words = last_words(job.mask, end.stderr, end.stdout.shown)
            said = f"{what}: {said if said and account.understood else words}"
        spent = f" ({account.usd:.4f} USD spent)" if account.usd else ""
        session = f" (session {account.session})" if account.session else ""
        why = f"{name}: {said}{spent}{session}"
        raise RetryableError(why) if meaning == "retry" or passing(said) else FinalError(why)


async def _kept(job: Job, task: QueuedTask, context: Context) -> tuple[tuple[ArtifactRef, ...], str]:
    """Return what it leaves: its change as patch and branch, or the files of its folder; and the change in words."""
    if job.worktree is None:
        await asyncio.to_thread(mask_folder, job)
        handed = await hand_in_files(job.cwd, job.folder, context)
        return handed.artifacts, handed.left_behind
    change = await changes(job.worktree)
    if change is None:
        return (), ""
    files = f"{change.files} {'file' if change.files == 1 else 'files'}"
    said = f"{files} changed: changes.patch is for `git apply`"
    patch = await asyncio.to_thread(change.patch.read_bytes)
    if job.mask.data(patch) == patch:
        return await hand_in_change(job.worktree, task, context), said
    # It wrote its key down: out of a patch that can be taken, out of a branch not.
    kept = await keep_change(job, context)
    return (() if kept is None else (kept[0],)), said


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove(path)
    else:
        path.unlink(missing_ok=True)


def data_of(account: Account) -> dict[str, JsonValue]:
    """Return a run's account as the data of its result; null is what the program does not tell. Pure."""
    return {
        "text": account.text[:LONGEST_TEXT],
        "usd": account.usd,
        "turns": account.turns,
        "session": account.session,
        "tokens": {"read": account.read, "written": account.written},
    }


def tokens_of(account: Account) -> dict[str, int]:
    """Return what a trace says of a run: its tokens, as far as they are told. Pure."""
    told = {names.INPUT_TOKENS: account.read, names.OUTPUT_TOKENS: account.written}
    return {name: count for name, count in told.items() if count is not None}


def in_figures(name: str, account: Account) -> str:
    """Return in one line what a run took. Pure."""
    turns = "turns untold" if account.turns is None else f"{account.turns} turns"
    cost = "at a price that it does not tell" if account.usd is None else f"for {account.usd:.4f} USD"
    tokens = f"{account.read or 0} tokens read and {account.written or 0} written"
    denied = f"; its own fences refused {account.denied} uses of tools" if account.denied else ""
    return f"{name}: {turns}, {tokens}, {cost}{denied}"
