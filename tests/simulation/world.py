"""World: a swarm of up to three workers and two coordinators, one seed's worth of requests and faults."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from picoclaw.errors import PlanError
from picoclaw.roles.planning.by_model.answer import Change
from picoclaw.roles.planning.by_model.change import change_plan
from picoclaw.swarm.demand import Offer, parse_demand
from picoclaw.swarm.entries import Cancelled, Cancelling, Entry
from picoclaw.swarm.fold import RequestHead, TaskHead, fold_request, fold_task
from picoclaw.swarm.records import Delivery, Plan, Planning, Request, Task

from .checker import Broken, Checker
from .coordinator import Coordinator
from .decisions import Decisions
from .faults import Faults
from .kernel import Kernel
from .run import Run
from .server import Ack, LogStream, MemberStream, Stored, WorkQueue
from .worker import Worker

WORKERS, COORDINATORS = ("w0", "w1", "w2"), ("c0", "c1")
ACK_WAIT = 6.0
PATIENCE = 60.0
"""Seconds after the last fault within which everything must have ended."""
DEMAND = parse_demand("code")
OFFERS = (Offer(node="w0", role="worker", capabilities=frozenset({"code"})),)
BY_MODEL = 0.3
"""The part of the seeds whose plans are a model's."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What an attempt at a task does."""

    seconds: float
    outcome: str


@dataclass(slots=True)
class World:
    """Everything that is simulated."""

    seed: int
    decisions: Decisions
    trace: list[str] | None = None
    by_model: bool = field(init=False)
    """Its plans are a model's, which may change them while they run."""
    kernel: Kernel = field(init=False)
    runs: list[Run] = field(default_factory=list)
    runs_so_far: int = 0
    roles: dict[Run, Worker | Coordinator] = field(default_factory=dict)
    down_until: float = 0.0
    open: set[str] = field(default_factory=set)
    open_requests: set[str] = field(default_factory=set)
    plans: dict[str, Plan] = field(default_factory=dict)
    checker: Checker = field(init=False)
    log: LogStream = field(init=False)
    tasks: WorkQueue = field(init=False)
    inbox: WorkQueue = field(init=False)
    members: MemberStream = field(default_factory=MemberStream)
    faults: Faults = field(init=False)
    gains: random.Random = field(init=False)
    """Chance of its own, so that what befalls the rest of a seed stays what it was."""
    _behaviours: dict[tuple[str, int], Behaviour] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kernel = Kernel(self.seed)
        self.gains = random.Random(f"gains {self.seed}")
        self.by_model = self.gains.random() < BY_MODEL
        self.checker = Checker(self)
        self.log = LogStream(self.kernel, self.checker)
        self.tasks = WorkQueue(self.kernel, ACK_WAIT, self._deliver, self._available)
        self.inbox = WorkQueue(self.kernel, ACK_WAIT, self._deliver, self._available)
        self.log.followers.append(self._hasty_user)
        self.faults = Faults(self)
        workers = self.kernel.rng.choice((1, 1, 2, 3))
        for node in (*WORKERS[:workers], *COORDINATORS):
            self.boot(node)
        self._requests()
        self.faults.plan()

    def note(self, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.kernel.now:8.3f} {what}")

    def play(self) -> None:
        """Let it all happen; raises Broken when something does not hold."""
        self.kernel.run(self.faults.last + PATIENCE, self._over)
        self.checker.at_the_end()

    def _over(self) -> bool:
        return (
            not self.open_requests
            and not self.open
            and self.kernel.now > self.faults.last
            and not self.tasks.messages
            and not self.inbox.messages
            and not any(self.checker.executing.values())
        )

    # --- what is to be done ---

    def _requests(self) -> None:
        rng = self.kernel.rng
        for number in range(rng.choice((1, 1, 2))):
            request = f"r{number}"
            self.open_requests.add(request)
            self.plans[request] = self._make_plan(request)
            body = Request(
                id=request, key_digest="0", text="x", deadline_s=rng.choice((None, None, None, 12.0))
            )
            for _ in range(rng.choice((1, 1, 2))):
                self.kernel.at(rng.uniform(0.2, 4), self._submit, request, body)
            if rng.random() < 0.15:
                self.kernel.at(rng.uniform(0.3, 15), self._cancel_request, request)
            if rng.random() < 0.15:
                task = f"{request}.{rng.choice(self.plans[request].tasks).step}"
                self.kernel.at(rng.uniform(1, 15), self._cancel_task, task)

    def _make_plan(self, request: str) -> Plan:
        rng, tasks = self.kernel.rng, []
        names = "abcd"[: rng.randint(1, 4)]
        for index, step in enumerate(names):
            after = tuple(s for s in names[:index] if rng.random() < 0.4)
            tasks.append(
                Task(
                    step=step, demand="code", after=after, needs=rng.choice(("all", "settled")),
                    max_attempts=rng.choice((1, 2, 3, 3)), timeout_s=rng.choice((None, None, 2.0)),
                )
            )  # fmt: skip
            self.open.add(f"{request}.{step}")
        return Plan(tasks=tuple(tasks), planning=Planning(by="model") if self.by_model else None)

    def _submit(self, request: str, body: Request) -> None:
        if self.down_until > self.kernel.now:
            self.kernel.at(self.down_until + 0.1, self._submit, request, body)
        elif self.log.last(f"{request}._") is None:
            self.inbox.publish(request, body)

    def _cancel_request(self, request: str) -> None:
        head = RequestHead()
        for stored in self.log.history(f"{request}._"):
            head = fold_request(head, stored.entry, stored.seq, stored.at)
        if head.terminal:
            return
        if head.seq:
            entry: Entry = Cancelling(why="a person", owner=head.owner, run=head.run)
        else:
            entry = Cancelled(reason="person", why="a person")
            self.inbox.withdraw(request)
        self.log.store(f"{request}._", entry, head.seq, "user", "cancel")

    def _hasty_user(self, stored: Stored) -> None:
        """Now and then somebody cancels a task at the moment of its release."""
        if stored.act == "release" and self.kernel.rng.random() < 0.08:
            self.kernel.after(self.kernel.rng.uniform(0, 0.01), self._cancel_task, stored.subject)

    def _cancel_task(self, task: str) -> None:
        last = self.log.last(task)
        head = fold_task(TaskHead(), last.entry, last.seq, last.at) if last else TaskHead()
        entry: Entry = Cancelled(reason="person", why="not needed")
        planned = any(
            stored.entry.kind == "planned" for stored in self.log.history(f"{task.split('.')[0]}._")
        )
        if not head.terminal and (head.seq or planned):
            self.log.store(task, entry, head.seq, "user", "cancel")

    def plan_of(self, request: str) -> Plan:
        return self.plans[request]

    def changed(self, plan: Plan, heads: Mapping[str, TaskHead], found: Mapping[str, str]) -> Plan:
        """Return what a model makes of a running plan: a task in the place of each that ended badly, or nothing."""
        assert plan.planning is not None
        planning = plan.planning.model_copy(
            update={"revision": plan.planning.revision + 1, "settled": (*plan.planning.settled, *found)}
        )
        chance, revision = self.gains, planning.revision
        change = Change.model_validate(
            {
                "add": [
                    {"step": f"{step[:1]}{revision}", "demand": "code", "text": "again", "replaces": step}
                    for step in found
                    if chance.random() < 0.7
                ],
                "drop": [step for step in heads if chance.random() < 0.2],
            }
        )
        request = Request(id="r-abcdefghijklmnop", key_digest="0", text="x")
        try:
            return change_plan(change, plan, heads, request, OFFERS, planning)
        except PlanError:
            return plan.model_copy(update={"planning": planning})

    def replanned(self, request: str, plan: Plan) -> None:
        """Take note of a later plan, which has just been written."""
        known = {task.step for task in self.plans[request].tasks}
        self.open |= {f"{request}.{task.step}" for task in plan.tasks if task.step not in known}
        self.plans[request] = plan

    def task(self, task: str) -> Task:
        request, step = task.split(".")
        return next(t for t in self.plans[request].tasks if t.step == step)

    def behaviour(self, task: str, attempt: int) -> Behaviour:
        rng = self.kernel.rng
        key = (task, attempt)
        if key not in self._behaviours:
            outcome = rng.choices(("done", "retry", "fail"), (75, 20, 5))[0]
            seconds = rng.uniform(*rng.choices(((0.05, 1), (1, 6), (6, 12)), (50, 40, 10))[0])
            self._behaviours[key] = Behaviour(seconds, outcome)
        return self._behaviours[key]

    # --- who there is ---

    def boot(self, node: str) -> Run:
        """Start a process under a name."""
        worker = node in WORKERS
        run = Run(
            self,
            node,
            "worker" if worker else "coordinator",
            self.kernel.rng.choice((1, 2, 3)) if worker else 0,
        )
        run.note("starts")
        self.roles[run] = Worker(run) if worker else Coordinator(run)
        return run

    def run(self, identity: str) -> Run | None:
        return next((run for run in self.runs if run.id == identity), None)

    def living(self, node: str) -> list[Run]:
        return [run for run in self.runs if run.node == node and run.alive]

    def died(self, run: Run) -> None:
        self.checker.died(run)
        self.tasks.parked.pop(run, None)
        self.inbox.parked.pop(run, None)
        self.faults.died(run)

    def slots_seen(self, run: Run) -> int:
        return run.members.slots_for(DEMAND)

    # --- the network between ---

    def _available(self) -> float:
        return self.down_until if self.down_until > self.kernel.now else 0.0

    def _deliver(self, run: Run, subject: str, body: Any, delivery: Delivery, ack: Ack) -> None:
        role = self.roles[run]

        def arrive() -> None:
            if not run.cut:
                role.take(subject, body, delivery, ack)

        if not self.faults.loses():
            self.kernel.after(self.faults.latency(), run.reach, arrive)
        if self.faults.duplicates():
            self.kernel.after(self.faults.latency(), run.reach, arrive)

    def publish(self, run: Run, task: str, body: Any) -> bool:
        self.checker.published(run, task)
        return self.tasks.publish(task, body)

    def broadcast(self, node: str, data: bytes) -> None:
        followed = self.members.store(node, data, self.kernel.now)
        for run in self.runs:
            if run.alive:
                run.hear(followed)

    def answer_probe(self, node: str) -> str:
        now = self.kernel.now
        there = [
            run for run in self.runs if run.node == node and not run.cut and (run.alive or run.gone_at > now)
        ]
        answering = [run.id for run in there if run.alive and not run.frozen]
        if answering:
            return self.kernel.rng.choice(answering)
        return "silent" if there else "absent"

    def order(self, node: str, task: str, seq: int) -> None:
        for run in self.living(node):
            role = self.roles[run]
            if isinstance(role, Worker) and not run.cut:
                self.kernel.after(
                    self.faults.latency(), run.reach, lambda role=role: role.on_order(task, seq)
                )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    broken: str | None
    ended_after: float
    doubles: int
    entries: int


def simulate(seed: int, decisions: Decisions | None = None, trace: list[str] | None = None) -> Outcome:
    """Play one seed; the same seed plays the same."""
    world = World(seed, decisions or Decisions(), trace)
    broken = None
    try:
        world.play()
    except Broken as error:
        broken = str(error)
    entries = sum(len(entries) for entries in world.log.subjects.values())
    late = max(0.0, world.kernel.now - world.faults.last)
    return Outcome(seed, broken, late, world.checker.doubles, entries)
