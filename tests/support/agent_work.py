"""An agent's run in memory: a journal that breaks off where a test says, and parties that keep records.

run = Rehearsal(folder, turns=[uses("look"), says("done")], tools=[Recorder("look")])
await run.to_its_end()                       # `run.journal.steps`, `run.asked`, `run.tools["look"].uses`
await run.crashing(4)                        # breaks off before the fourth append; then to its end
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from picoclaw.capabilities.agent.approvals.asking import Answer, Asking
from picoclaw.capabilities.agent.approvals.policy import Policy
from picoclaw.capabilities.agent.budget.account import Breach, Estimate, Granted, Holder, Spent, grant
from picoclaw.capabilities.agent.budget.limits import Budget
from picoclaw.capabilities.agent.context import Letter
from picoclaw.capabilities.agent.loop.run import Ended, run
from picoclaw.capabilities.agent.loop.size import size_of
from picoclaw.capabilities.agent.loop.work import Terms, take_up
from picoclaw.capabilities.agent.models.client import OnText, Question
from picoclaw.capabilities.agent.models.conversation import (
    Assistant,
    ToolCall,
    ToolSpec,
    Turn,
    Usage,
    User,
)
from picoclaw.capabilities.agent.tools.tool import Place, ToolResult
from picoclaw.capabilities.agent.tools.toolbox import toolbox
from picoclaw.capabilities.agent.workspace.workspace import Workspace
from picoclaw.swarm.records import ArtifactRef, QueuedTask, RepositoryRef, Task
from picoclaw.swarm.steps import Step, Takeover, read_step

MODEL = "fake/model"
TASK = QueuedTask(
    request="r-abcdefghijklmnop", task=Task(step="task", demand="noop"), priority=1, queued_seq=1
)


class Crash(Exception):
    """kill -9, as far as one process can play it."""


def says(text: str, **turn: Any) -> Turn:
    """A turn that ends the conversation."""
    return Turn(
        message=Assistant(text=text),
        stop="end",
        model=MODEL,
        usage=Usage(input=10, output=5, usd=0.01),
        **turn,
    )


def uses(*names: str, arguments: dict[str, JsonValue] | None = None, text: str = "") -> Turn:
    """A turn that asks for tools."""
    calls = tuple(
        ToolCall(id=f"c{n}", name=name, arguments={} if arguments is None else arguments)
        for n, name in enumerate(names)
    )
    return Turn(
        message=Assistant(text=text, calls=calls),
        stop="tools",
        model=MODEL,
        usage=Usage(input=10, output=5, usd=0.01),
    )


@dataclass(slots=True)
class Recorder:
    """A tool that writes down how it was used."""

    name: str
    repeatable: bool = True
    alongside: bool = False
    answer: str = "seen"
    error: bool = False
    raises: Exception | None = None
    beside: asyncio.Barrier | None = None
    """Met by those that are used at the same time."""
    hangs: asyncio.Event | None = None
    """Set once it is half done, which is as far as it comes."""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    uses: list[str] = field(default_factory=list)
    """The names of its calls."""

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(name=self.name, description="A tool of a test.", schema=self.schema)

    async def use(self, arguments: Mapping[str, JsonValue], place: Place) -> ToolResult:
        self.uses.append(place.call)
        if self.beside is not None:
            await self.beside.wait()
        if self.hangs is not None:
            await asyncio.to_thread((place.root / "half.txt").write_text, "half")
            self.hangs.set()
            await asyncio.Event().wait()
        if self.raises is not None:
            raise self.raises
        return ToolResult(text=self.answer, error=self.error)


@dataclass(slots=True)
class MemoryJournal:
    """Steps in their wire form; breaks off before an append."""

    wire: list[bytes] = field(default_factory=list)
    breaks_before: int | None = None
    stored: bool = False
    """The append at which it breaks is written all the same, and its answer lost."""
    old: timedelta = timedelta()
    _steps: list[Step] = field(default_factory=list)

    @property
    def steps(self) -> Sequence[Step]:
        return self._steps

    @property
    def age(self) -> timedelta:
        return self.old

    async def append(self, step: Step) -> None:
        broken = self.breaks_before is not None and len(self.wire) + 1 >= self.breaks_before
        if not broken or self.stored:
            self.wire.append(step.to_bytes())
        if broken:
            raise Crash
        self._steps.append(step)


@dataclass(slots=True)
class MemoryArtifacts:
    bodies: dict[str, bytes] = field(default_factory=dict)

    async def put(self, data: bytes, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        name = hashlib.sha256(data).hexdigest()
        self.bodies[name] = data
        return ArtifactRef(name=name, size=len(data), digest=name, media_type=media_type, filename=filename)

    async def put_file(self, path: Path, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        return await self.put(
            await asyncio.to_thread(path.read_bytes), media_type=media_type, filename=filename
        )

    async def get(self, ref: ArtifactRef) -> bytes:
        return self.bodies[ref.name]

    async def get_file(self, ref: ArtifactRef, path: Path) -> None:
        await asyncio.to_thread(path.write_bytes, self.bodies[ref.name])


@dataclass(slots=True)
class Rehearsal:
    """A task, what its model says turn by turn, and every party that it meets; survives its attempts."""

    folder: Path
    turns: Sequence[Turn | Exception]
    tools: Sequence[Recorder] = ()
    budget: Budget = field(default_factory=Budget)
    policy: Policy = field(default_factory=Policy)
    schema: dict[str, Any] | None = None
    context_window: int | None = None
    max_tokens: int = 100
    letters: list[Letter] = field(default_factory=list)
    answers: Sequence[Answer] = ()
    """Of people, in the order in which they are asked."""
    attempt: int = 0
    asked: list[Question] = field(default_factory=list)
    approvals_asked: list[Asking] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    journal_: MemoryJournal = field(default_factory=MemoryJournal)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)

    # --- the parties ---

    async def journal(self) -> MemoryJournal:
        return self.journal_

    async def progress(self, message: str, *, fraction: float | None = None) -> None:
        self.told.append(message)

    async def say(self, text: str) -> None:
        self.said.append(text)

    async def workspace(self) -> Path:
        return self.folder

    async def checkout(self, repository: RepositoryRef) -> Path:
        raise AssertionError("no repository here")

    @property
    def mail(self) -> "Rehearsal":
        return self

    @property
    def purse(self) -> "Rehearsal":
        return self

    @property
    def pauses(self) -> "Rehearsal":
        return self

    async def held(self) -> str:
        return "paused by ann" if self.paused else ""

    async def wait(self) -> None:
        self.paused = False

    @property
    def approvals(self) -> "Approver":
        return Approver(self)

    @property
    def blackboard(self) -> Any:
        raise AssertionError("no blackboard here")

    @property
    def delegation(self) -> Any:
        raise AssertionError("nobody to delegate to")

    async def receive(self, told: Any) -> tuple[Letter, ...]:
        return tuple(letter for letter in self.letters if letter.id not in told)

    async def send(self, to: str, text: str, *, key: str) -> str:
        return to

    async def reserve(self, estimate: Estimate, mine: Holder, *, asking: bool = True) -> Granted | Breach:
        return grant(estimate, [mine], asking=asking)

    async def settle(self, total: Spent, *, ended: bool = False) -> None:
        self.spent = total

    async def allow(self, breach: Breach) -> None:
        raise AssertionError("no account above this task here")

    async def ask(self, question: Question, on_text: OnText | None = None) -> Turn:
        """The model: what it says depends on nothing but how many of its answers it is shown."""
        self.asked.append(question)
        if question.system.startswith("You put the work"):
            return says("in short")
        turn = self.turns[min(self._turn(question), len(self.turns) - 1)]
        if isinstance(turn, Exception):
            raise turn
        if on_text is not None:
            on_text(turn.message.text)
        if self.context_window is not None:
            return replace(turn, usage=Usage(input=size_of(question.messages), output=5))
        return turn

    def _turn(self, question: Question) -> int:
        return (
            len(self.asked) - 1
            if self.by_count
            else sum(isinstance(one, Assistant) for one in question.messages)
        )

    paused: bool = False
    """Until it is waited for."""
    draining: bool = False
    """Its node ends."""
    by_count: bool = False
    """What it says depends on how often it was asked, not on the conversation."""

    async def close(self) -> None:
        pass

    def worst(self, model: str, input: int, output: int) -> float | None:
        return input * 1e-4 + output * 1e-3

    def window(self, model: str) -> int | None:
        return self.context_window

    # --- attempts ---

    @property
    def steps(self) -> list[Step]:
        return [read_step(data) for data in self.journal_.wire]

    async def go(self, *, breaks_before: int | None = None, stored: bool = False) -> Ended:
        """One attempt; raises Crash where the journal breaks off."""
        self.attempt += 1
        takeover = Takeover(attempt=self.attempt, node="n", run=f"run{self.attempt}")
        self.journal_.wire.append(takeover.to_bytes())
        self.journal_ = MemoryJournal(
            self.journal_.wire, breaks_before, stored, self.journal_.old, self.steps
        )
        root = self.folder / f"attempt-{self.attempt}" / "work"
        (root.parent / "node").mkdir(parents=True)
        root.mkdir()
        box = toolbox(self.tools)
        terms = Terms(
            system="You are a test.",
            opening=User(text="do it"),
            models=(MODEL,),
            schema=self.schema,
            max_tokens=self.max_tokens,
            policy=self.policy,
            budget=self.budget,
        )
        work = await take_up(
            TASK,
            terms,
            self,
            client=self,
            box=box,
            workspace=Workspace(root, None, self),
            tariff=self,
            alongside=frozenset(tool.name for tool in self.tools if tool.alongside),
        )
        return await run(work, {})

    async def crashing(self, breaks_before: int, *, stored: bool = False) -> Ended:
        """An attempt that breaks off before an append, and one that goes on; the first may come to its end."""
        try:
            return await self.go(breaks_before=breaks_before, stored=stored)
        except Crash:
            return await self.go()


@dataclass(frozen=True, slots=True)
class Approver:
    """Answers in the order of `answers`; without one left, a test has asked too much."""

    of: Rehearsal

    async def ask(self, asking: Asking) -> Answer:
        self.of.approvals_asked.append(asking)
        return self.of.answers[len({(a.about, a.number) for a in self.of.approvals_asked}) - 1]
