"""Coordinator: `roles.coordinator` and `roles.owner` without their I/O, step for step."""

from collections import deque
from collections.abc import Callable
from typing import Any

from picoclaw.roles.planning.by_model.change import concerns
from picoclaw.roles.schedule import Schedule
from picoclaw.swarm.entries import Accepted, Cancelled, Cancelling, Dead, Done, Entry, Failed, Planned, Queued
from picoclaw.swarm.entries import Owner as OwnerEntry
from picoclaw.swarm.fold import RequestHead, TaskHead, fold_request, fold_task
from picoclaw.swarm.membership.leadership import Leader, heirs
from picoclaw.swarm.membership.probing import PROBES_PER_SECOND, Asked, next_round
from picoclaw.swarm.records import Delivery, Request, Result
from picoclaw.swarm.release import Share
from picoclaw.swarm.rules import Bury, Requeue

from .kernel import Call, Lost, Signal, Sleep, Steps, Wait
from .run import Refused, Run
from .server import Ack, Stored
from .worker import Body

LOOK_AROUND = 0.5
PROBE_EVERY = 0.5
RECONCILE = 2.0
SETTLE = 2.0
DEADLINE_GRACE = 3.0
RESTART_PAUSE = 1.0


class Fenced(Exception):
    """Raised when somebody else owns the request now."""


class Coordinator:
    """One coordinator's requests."""

    def __init__(self, run: Run) -> None:
        self.run, self.world = run, run.world
        self.owners: dict[str, Owner] = {}
        self.accepting: set[str] = set()
        self.heads: dict[str, RequestHead] = {}
        self.releasing = Signal()
        self.turn = 0
        self.stopped = False
        self._feed: deque[Stored] = deque()
        self._fed_at = 0.0
        self._held: list[Stored] = []
        run.reconnected.append(self._reconnected)
        for subject in [name for name in self.world.log.subjects if name.endswith("._")]:
            self._follow(self.world.log.subjects[subject][-1])
        self.world.log.followers.append(self._follow)
        for steps in (self._pull(), self._look_around(), self._probe(), self._release_forever()):
            run.start(steps)

    # --- the log, followed in order ---

    def _follow(self, stored: Stored) -> None:
        if not self.run.alive:
            return
        if self.run.cut:
            self._held.append(stored)
            return
        kernel = self.run.kernel
        self._fed_at = max(self._fed_at, kernel.now + self.world.faults.feed_delay("log"))
        kernel.at(self._fed_at, self.run.reach, lambda: self._observe(stored))
        if self.world.faults.duplicates():
            kernel.at(self._fed_at, self.run.reach, lambda: self._observe(stored))

    def _reconnected(self) -> None:
        held, self._held = self._held, []
        for stored in held:
            self._follow(stored)
        self._park()

    def _observe(self, stored: Stored) -> None:
        request, step = stored.subject.split(".")
        owner = self.owners.get(request)
        if owner is not None:
            owner.observe(stored)
        if step != "_":
            return
        head = fold_request(self.heads.get(request, RequestHead()), stored.entry, stored.seq, stored.at)
        if isinstance(stored.entry, Cancelling) and not head.owner:
            self.run.start(self._learn_owner(request))
        if head.terminal:
            self.heads.pop(request, None)
        else:
            self.heads[request] = head

    def _learn_owner(self, request: str) -> Steps:
        try:
            head = yield from self._request_head(request)
        except Lost:
            return
        if not head.terminal:
            self.heads[request] = head

    def _request_head(self, request: str) -> Steps:
        history: list[Stored] = yield Call(lambda: self.world.log.history(f"{request}._"))
        head = RequestHead()
        for stored in history:
            head = fold_request(head, stored.entry, stored.seq, stored.at)
        return head

    # --- the inbox ---

    def _pull(self) -> Steps:
        while not self.stopped:
            self._park()
            yield Sleep(2.0)

    def _park(self) -> None:
        if not self.stopped:
            self.run.post(lambda: self.world.inbox.park(self.run) if self.run.alive else None)

    def take(self, request: str, body: Any, delivery: Delivery, ack: Ack) -> None:
        if self.stopped or request in self.accepting:
            self.run.post(lambda: self.world.inbox.nak(ack))
            return
        self.accepting.add(request)
        self.run.start(self._accept(request, body, ack))

    def _accept(self, request: str, body: Request, ack: Ack) -> Steps:
        try:
            yield from self._write_down(request, body)
            self.run.post(lambda: self.world.inbox.ack(ack))
        except Lost:
            self.run.post(lambda: self.world.inbox.nak(ack, RESTART_PAUSE))
        self.accepting.discard(request)
        self._park()

    def _write_down(self, request: str, body: Request) -> Steps:
        run = self.run
        if request in self.owners:
            return
        self.owners[request] = Owner(self, request)
        entry = Accepted(by=run.node, owner=run.node, run=run.id, request=body)
        expected, seq = 0, 0
        try:
            while not seq:
                try:
                    seq = yield from run.append(f"{request}._", entry, expected, "accept")
                except Refused:
                    head = yield from self._request_head(request)
                    if head.accepted or head.terminal:
                        return
                    expected = head.seq
        finally:
            if not seq:
                del self.owners[request]
        run.note(f"owns {request}")
        run.start(self._carry(request, (entry, seq) if expected == 0 else None))

    # --- ownership ---

    def own(self, request: str) -> None:
        if request not in self.owners:
            self.run.note(f"owns {request}")
            self.owners[request] = Owner(self, request)
            self.run.start(self._carry(request))

    def _carry(self, request: str, first: tuple[Accepted, int] | None = None) -> Steps:
        while True:
            try:
                yield from self.owners[request].live(first)
                break
            except Lost:
                first = None
                yield Sleep(RESTART_PAUSE)
                self.owners[request] = Owner(self, request)
        del self.owners[request]

    def _take_over(self, request: str) -> Steps:
        run = self.run
        try:
            head: RequestHead = yield from self._request_head(request)
            if not head.terminal and head.accepted:
                if head.run != run.id:
                    if not (head.owner and self._dead(head)):
                        return
                    entry = OwnerEntry(by=run.node, owner=run.node, run=run.id)
                    yield from run.append(f"{request}._", entry, head.seq, "take over")
                self.own(request)
        except (Refused, Lost):
            pass
        finally:
            self.accepting.discard(request)

    def _dead(self, head: RequestHead) -> bool:
        self.run.look()
        return self.world.decisions.run_dead(self.run.members, head.owner, head.run, head.at)

    # --- time passes ---

    def _look_around(self) -> Steps:
        while True:
            yield Sleep(LOOK_AROUND)
            if not self.stopped:
                for request, head in list(self.heads.items()):
                    if request in self.owners or request in self.accepting or not head.owner:
                        continue
                    if head.run == self.run.id or self._dead(head):
                        self.accepting.add(request)
                        self.run.start(self._take_over(request))
            self.releasing.set()
            for owner in self.owners.values():
                owner.look_around()

    def _probe(self) -> Steps:
        last: dict[str, float] = {}
        while True:
            members, now = self.run.members, self.run.members_clock
            nodes = {node for owner in self.owners.values() for node in owner.holders()}
            nodes |= {head.owner for head in self.heads.values() if head.owner}
            asked = {
                node: Asked(PROBE_EVERY, last.get(node), members.absent_since(node))
                for node in nodes - {self.run.node}
            }
            planned = next_round(asked, now, budget=PROBES_PER_SECOND, renewed=now)
            for node in planned.now:
                last[node] = now
                self.run.start(self.run.probe(node))
            yield Sleep(min(max(planned.again - now, 0.01), PROBE_EVERY))

    def drain(self) -> None:
        self.stopped = self.run.draining = True
        self.run.note("drains")
        self.run.start(self._goodbye())

    def _goodbye(self) -> Steps:
        yield Sleep(self.run.kernel.rng.uniform(0, 1))
        to = heirs(self.run.members.peers())
        for request in sorted(self.owners) if to else ():
            yield from self._pass_on(request, to[0])
        yield from self.run.send_beat(goodbye=True)
        self.run.kill()

    def _pass_on(self, request: str, heir: Leader) -> Steps:
        try:
            head = yield from self._request_head(request)
            if head.accepted and not head.terminal and head.run == self.run.id:
                entry = OwnerEntry(by=self.run.node, owner=heir.node, run=heir.run)
                yield from self.run.append(f"{request}._", entry, head.seq, "hand over")
        except (Refused, Lost):
            pass  # its goodbye tells the others

    # --- release ---

    def _release_forever(self) -> Steps:
        while True:
            yield Wait(self.releasing)
            self.releasing.clear()
            self._release_now()

    def _release_now(self) -> None:
        self.run.look()
        owners = [owner for owner in self.owners.values() if owner.schedule is not None and owner.demands()]
        if not owners:
            return
        slots = self.world.slots_seen(self.run)
        self.turn += 1
        shares = [
            Share(o.request_id, 1, o.may_release(), o.schedule.waiting("code")) for o in owners if o.schedule
        ]
        granted = self.world.decisions.share_out(shares, slots, self.run.members.coordinators(), self.turn)
        for owner in owners:
            number = granted.get(owner.request_id, 0)
            if number:
                assert owner.schedule is not None
                for step in owner.schedule.take_ready("code", number):
                    self.run.start(self._release(owner, step))

    def _release(self, owner: "Owner", step: str) -> Steps:
        try:
            yield from owner.release(step)
        except Lost:
            yield Sleep(RESTART_PAUSE)
            if owner.schedule is not None:
                owner.schedule.give_back(step)
            self.releasing.set()


class Owner:
    """One request, from its plan to its end; its memory is the fold of its log."""

    def __init__(self, coordinator: Coordinator, request: str) -> None:
        self.coordinator, self.run, self.world = coordinator, coordinator.run, coordinator.world
        self.request_id = request
        self.head = RequestHead()
        self.request: Request | None = None
        self.schedule: Schedule | None = None
        self._early: list[Stored] | None = []
        self._wake = Signal()
        self._look = True
        self._thinking = False
        """A model looks at the plan again: nothing that it may save is to end meanwhile."""

    def observe(self, stored: Stored) -> None:
        if self._early is not None:
            self._early.append(stored)
            return
        self._apply(stored)
        self._wake.set()
        self.coordinator.releasing.set()

    def _apply(self, stored: Stored) -> None:
        step = stored.subject.split(".")[1]
        if step == "_":
            self.head = fold_request(self.head, stored.entry, stored.seq, stored.at)
            if isinstance(stored.entry, Accepted):
                self.request = stored.entry.request
        elif self.schedule is not None and step in self.schedule.heads:
            head = fold_task(self.schedule.heads[step], stored.entry, stored.seq, stored.at)
            result = stored.entry.result if isinstance(stored.entry, Done) else None
            self.schedule.observe(step, head, result)

    def _load(self) -> Steps:
        history: list[Stored] = yield Call(lambda: self.world.log.of_request(self.request_id))
        for stored in history:
            if stored.subject.endswith("._"):
                self._apply(stored)
                if isinstance(stored.entry, Planned) and stored.entry.plan is not None:
                    self.schedule = Schedule(stored.entry.plan)
        for stored in history:
            self._apply(stored)
        self._catch_up()

    def _begin(self, accepted: Accepted, seq: int) -> None:
        self.head = fold_request(self.head, accepted, seq, self.run.server_now())
        self.request = accepted.request
        self._catch_up()

    def _catch_up(self) -> None:
        early, self._early = self._early or [], None
        for stored in early:
            self._apply(stored)

    # --- its life ---

    def live(self, first: tuple[Accepted, int] | None) -> Steps:
        try:
            if first is not None:
                self._begin(*first)
            else:
                yield from self._load()
            if self.schedule is None and not self.head.cancelling and not self.head.terminal:
                yield from self._plan()
            yield from self._carry()
        except Fenced:
            self.run.note(f"no longer owns {self.request_id}")

    def _carry(self) -> Steps:
        reconciled = self.run.kernel.now
        while not self.head.terminal:
            self._check_ownership()
            self._wake.clear()
            self._begin_look()
            if self.schedule is not None and not self.schedule.finished:
                yield from self._advance()
                if self.run.kernel.now - reconciled >= RECONCILE:
                    reconciled = self.run.kernel.now
                    yield from self._reconcile()
            self._begin_look()
            if self.schedule is None or (self.schedule.finished and not self._may_be_saved):
                yield from self._append_request(self._last_entry())
                continue
            if not (yield Wait(self._wake, RECONCILE)):
                self._look = True

    @property
    def _may_be_saved(self) -> bool:
        return self._thinking and self.world.decisions.look_ends_first

    def _begin_look(self) -> None:
        schedule, head = self.schedule, self.head
        if schedule is None or self._thinking or head.cancelling or head.terminal or self._late():
            return
        found = concerns(schedule.plan, schedule.heads, schedule.results)
        if found:
            self._thinking = True
            self.run.start(self._look_again(schedule, found))

    def _look_again(self, schedule: Schedule, found: dict[str, str]) -> Steps:
        try:
            yield Sleep(self.world.gains.uniform(0.05, 3))
            plan = self.world.changed(schedule.plan, schedule.heads, found)
            assert plan.planning is not None
            run, revision = self.run, plan.planning.revision
            entry = Planned(by=run.node, owner=run.node, run=run.id, plan=plan, revision=revision)
            yield from self._append_request(entry, "replan")
            if not self.head.terminal:
                run.note(f"plans {self.request_id} again: {[task.step for task in plan.tasks]}")
                self.schedule = Schedule(plan)
                for step, head in schedule.heads.items():
                    self.schedule.observe(step, head, schedule.results.get(step))
        except (Fenced, Lost):
            self.run.note(f"its look at {self.request_id} is lost")
        finally:
            self._thinking = False
        self._wake.set()
        self.coordinator.releasing.set()

    def _late(self) -> bool:
        limit = self.request.deadline_s if self.request is not None else None
        return limit is not None and self.run.server_now() - self.head.accepted_at > limit

    def look_around(self) -> None:
        self._look = True
        self._wake.set()

    def _check_ownership(self) -> None:
        if self.head.run != self.run.id and not self.head.terminal:
            raise Fenced

    def _append_request(self, entry: Entry, act: str = "request") -> Steps:
        while not self.head.terminal:
            if self.world.decisions.looks_first:
                self._check_ownership()
            try:
                seq = yield from self.run.append(f"{self.request_id}._", entry, self.head.seq, act)
            except Refused as refused:
                yield from self._reread("_")
                if refused.written:
                    return
                continue
            self.head = fold_request(self.head, entry, seq, self.run.server_now())
            return

    def _append_task(self, step: str, entry: Entry, expected: int, act: str) -> Steps:
        """Return the sequence, or 0 when somebody else was first."""
        assert self.schedule is not None
        try:
            seq = yield from self.run.append(self._id(step), entry, expected, act)
        except Refused:
            yield from self._reread(step)
            return 0
        self.schedule.observe(step, fold_task(self.schedule.heads[step], entry, seq, self.run.server_now()))
        return seq

    def _plan(self) -> Steps:
        plan = self.world.plan_of(self.request_id)
        run = self.run
        yield from self._append_request(Planned(by=run.node, owner=run.node, run=run.id, plan=plan))
        self.schedule = Schedule(plan)
        self.coordinator.releasing.set()

    # --- what must be done now ---

    def _advance(self) -> Steps:
        schedule = self.schedule
        if schedule is None:
            return
        me = self.run.node
        if self.head.cancelling:
            yield from self._end_all(lambda: Cancelled(by=me, reason="request", why=self.head.cancelling))
            return
        if self._late():
            yield from self._end_all(lambda: Failed(by=me, reason="deadline", error="too late"))
            return
        for doomed in () if self._may_be_saved else schedule.take_doomed():
            entry: Entry = Cancelled(by=me, reason="dependency", why=doomed.why)
            if doomed.state == "failed":
                entry = Failed(by=me, reason="dependency", error=doomed.why)
            yield from self._settle(doomed.step, entry)
        planning = schedule.plan.planning
        for step in planning.dropped if planning is not None else ():
            if schedule.heads[step].state in ("planned", "queued"):
                needless = Cancelled(by=me, reason="replanned", why="needed no more")
                yield from self._settle(step, needless, "drop")
        if self._look:
            self._look = False
            yield from self._take_from_the_lost()

    def _end_all(self, entry: Callable[[], Entry]) -> Steps:
        assert self.schedule is not None
        for step in [step for step, head in self.schedule.heads.items() if not head.terminal]:
            yield from self._settle(step, entry())
        for step in self.schedule.heads:
            task = self._id(step)
            yield Call(lambda task=task: self.world.tasks.withdraw(task))  # type: ignore[misc]

    def _settle(self, step: str, entry: Entry, act: str = "settle") -> Steps:
        assert self.schedule is not None
        while not (head := self.schedule.heads[step]).terminal:
            seq = yield from self._append_task(step, entry, head.seq, act)
            if seq and head.state == "running":
                self._fence(head, step, seq)

    def _reread(self, step: str) -> Steps:
        for stored in (yield Call(lambda: self.world.log.history(self._id(step)))):
            self._apply(stored)

    def _fence(self, head: TaskHead, step: str, seq: int) -> None:
        self.run.post(lambda: self.world.order(head.node, self._id(step), seq))

    def _id(self, step: str) -> str:
        return f"{self.request_id}.{step}"

    # --- release ---

    def demands(self) -> bool:
        if self.schedule is None or self.head.cancelling or self.head.terminal:
            return False
        return bool(list(self.schedule.demands))

    def may_release(self) -> int:
        return self.schedule.ready("code") if self.schedule is not None else 0

    def release(self, step: str) -> Steps:
        assert self.schedule is not None
        head = self.schedule.heads[step]
        if head.state != "planned":
            return
        entry = Queued(by=self.run.node, demand="code", priority=1, reason="released")
        if not self.world.decisions.log_first:
            yield from self._publish(step)
        if (yield from self._append_task(step, entry, head.seq, "release")):
            yield from self._publish(step)
        else:
            self.schedule.give_back(step)

    def _publish(self, step: str) -> Steps:
        assert self.schedule is not None
        head, task = self.schedule.heads[step], self.schedule.tasks[step]
        if not self.world.decisions.may_publish(head, self.run.server_now()):
            return
        body = Body(head.seq, head.attempt, head.excused, task.max_attempts, task.timeout_s)
        yield Call(lambda: self.world.publish(self.run, self._id(step), body))

    # --- holders that are lost, messages that are missing ---

    def holders(self) -> set[str]:
        if self.schedule is None:
            return set()
        return {self.schedule.heads[step].node for step in self.schedule.running}

    def _take_from_the_lost(self) -> Steps:
        assert self.schedule is not None
        for step in sorted(self.schedule.running):
            head, task = self.schedule.heads[step], self.schedule.tasks[step]
            if step not in self.schedule.running:
                continue
            if (
                task.timeout_s is not None
                and self.run.server_now() - head.at > task.timeout_s + DEADLINE_GRACE
            ):
                yield from self._settle(step, Failed(by=self.run.node, reason="deadline", error="not ended"))
                continue
            evidence = self.run.evidence(head, self._id(step), in_my_jobs=True)
            decision = self.world.decisions.on_lost_holder(head, evidence, task.max_attempts)
            if decision is not None:
                self.run.decided[self._id(step)] = self.run.kernel.now
                self.run.note(f"takes {self._id(step)} from {head.run}: {decision} on {evidence}")
                yield from self._take_from(step, head, decision)

    def _take_from(self, step: str, head: TaskHead, decision: Requeue | Bury) -> Steps:
        if isinstance(decision, Bury):
            entry: Entry = Dead(
                by=self.run.node, attempt=decision.attempt, error="node offline", node=head.node
            )
        else:
            entry = Queued(
                by=self.run.node, attempt=decision.attempt, excused=decision.excused, demand="code", priority=1,
                reason=f"node offline: {head.node}",
            )  # fmt: skip
        if not self.world.decisions.fence_first:
            self._hand_back(head)
        seq = yield from self._append_task(step, entry, decision.expected, "take from")
        if not seq:
            return
        self._fence(head, step, seq)
        if isinstance(entry, Dead):
            yield Call(lambda: self.world.tasks.withdraw(self._id(step)))
        else:
            self._hand_back(head)

    def _hand_back(self, head: TaskHead) -> None:
        subject, seq = head.ack.split("|")

        def effect() -> None:
            self.world.checker.handed_back(self.run, head, subject)
            self.world.tasks.nak(Ack(subject, int(seq)))

        self.run.post(effect)

    def _reconcile(self) -> Steps:
        assert self.schedule is not None
        now = self.run.server_now()
        for step in self.schedule.queued_steps():
            head = self.schedule.heads[step]
            due = self.world.decisions.needs_queue_message(head, now)
            if due and now - max(head.at, head.not_before or 0) > SETTLE:
                yield from self._publish(step)

    # --- the end ---

    def _last_entry(self) -> Entry:
        me = self.run.node
        if self.schedule is None:
            return Cancelled(by=me, reason="person", why=self.head.cancelling)
        done = [head.state == "done" for head in self.schedule.heads.values()]
        result = Result(summary="report")
        if self.head.cancelling:
            return Cancelled(by=me, reason="person", why=self.head.cancelling, result=result)
        if not any(done):
            return Failed(by=me, reason="error", error="nothing was done", result=result)
        return Done(by=me, node=me, run=self.run.id, result=result, partial=not all(done))
