"""Retries, dead letters that go again, deadlines of tasks: on a real server, with real nodes."""

import asyncio
from datetime import timedelta

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.errors import FinalError, PicoclawError, PlanError, RetryableError, UsageError
from picoclaw.swarm.artifacts import meta_subject
from picoclaw.swarm.cancel import cancel_request
from picoclaw.swarm.dead_letters import read_letters
from picoclaw.swarm.entries import Dead, Done, Failed, Queued
from picoclaw.swarm.kv import last_message
from picoclaw.swarm.look import list_requests, read_request
from picoclaw.swarm.records import QueuedTask, Result, Retried, Retry
from picoclaw.swarm.redrive import redrive
from picoclaw.swarm.retry import NothingToRetry, retry_request
from picoclaw.swarm.submission import new_request, submit
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.views.requests import RequestState
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.fault_points import writes
from picoclaw.tests.support.relay import Relay
from picoclaw.tests.support.swarm import (
    STEP,
    Lab,
    ask,
    end_of,
    entries,
    in_queue,
    kinds,
    step,
    template,
)
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

CHAIN = template(
    "chain",
    step("good"),
    step("bad"),
    step("worse"),
    step("after", after=("good", "bad")),
    step("join", after=("worse", "after"), needs="settled"),
)
ONCE = Retry(attempts=1)


class Flaky:
    """Runs that fail for the steps that are broken."""

    def __init__(self, *broken: str, error: type[Exception] = FinalError) -> None:
        self.broken = set(broken)
        self.error = error
        self.runs = Runs(do=self)

    async def __call__(self, task: QueuedTask, context: Context) -> Result:
        if task.task.step in self.broken:
            raise self.error(f"{task.task.step} is broken")
        return Result(summary=f"{task.task.step} of {task.request}", data=sorted(task.inputs))

    def steps(self, request: str) -> list[str]:
        """The steps of a request that ran, in order of their names, each as often as it ran."""
        return sorted(task.partition(".")[2] for task in self.runs.tasks if task.startswith(request))


async def state_of(swarm: Swarm, request: str) -> RequestState:
    state = await read_request(swarm, request)
    assert state is not None
    return state


async def retry(swarm: Swarm, request: str, *steps: str) -> str:
    return (await retry_request(swarm, await state_of(swarm, request), steps)).request


@pytest.fixture
async def flaky() -> Flaky:
    return Flaky("bad", "worse")


@pytest.fixture
async def swarm(lab: Lab, flaky: Flaky) -> Swarm:
    await lab.coordinator(CHAIN, name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    return await lab.door()


async def test_only_what_did_not_finish_runs_again_and_what_waits_for_it_follows(
    swarm: Swarm, flaky: Flaky
) -> None:
    old = await ask(swarm, template="chain")
    assert (await end_of(swarm, old)).head.partial
    assert flaky.steps(old) == ["bad", "good", "join", "worse"]

    flaky.broken.clear()
    new = await retry(swarm, old)
    ended = await end_of(swarm, new)
    assert (ended.head.state, ended.head.partial) == ("done", False)
    assert flaky.steps(new) == ["after", "bad", "worse"]
    (good,) = await entries(swarm, new, "good")
    assert isinstance(good, Done)
    assert (good.carried, good.result.summary, good.node) == (old, f"good of {old}", "hand")
    state = await state_of(swarm, new)
    assert state.request is not None
    assert state.request.retried == Retried(request=old)
    assert state.heads["join"].carried == old
    # The task that had to wait got the carried result as its input.
    (*_, after) = await entries(swarm, new, "after")
    assert isinstance(after, Done)
    assert after.result.data == ["bad", "good"]
    with pytest.raises(NothingToRetry, match="each of its tasks is done"):
        await retry(swarm, new)


async def test_one_task_runs_again_and_the_rest_stays_as_it_ended(swarm: Swarm, flaky: Flaky) -> None:
    old = await ask(swarm, template="chain")
    await end_of(swarm, old)
    flaky.broken.clear()
    new = await retry(swarm, old, "bad")
    assert (await end_of(swarm, new)).head.partial
    assert flaky.steps(new) == ["after", "bad"]
    (worse,) = await entries(swarm, new, "worse")
    assert isinstance(worse, Failed)
    assert (worse.error, worse.carried) == ("worse is broken", old)

    last = await retry(swarm, new)
    assert not (await end_of(swarm, last)).head.partial
    assert flaky.steps(last) == ["worse"]
    (good,) = await entries(swarm, last, "good")
    assert isinstance(good, Done)
    assert good.carried == old  # where it was really done


async def test_two_people_who_press_at_once_make_one_request(lab: Lab, swarm: Swarm, flaky: Flaky) -> None:
    old = await ask(swarm, template="chain")
    await end_of(swarm, old)
    state = await state_of(swarm, old)
    doors = [await lab.door() for _ in range(3)]
    made = await asyncio.gather(*(retry_request(door, state, sender=f"p{n}") for n, door in enumerate(doors)))
    assert len({one.request for one in made}) == 1
    assert sum(one.new for one in made) == 1
    await end_of(swarm, made[0].request)
    assert flaky.steps(made[0].request) == ["bad", "worse"]
    # Who presses again goes on from there.
    flaky.broken = {"worse"}
    again = await retry_request(swarm, state)
    assert (again.new, again.retries) == (True, made[0].request)
    await end_of(swarm, again.request)
    flaky.broken.clear()
    last = await retry(swarm, old)
    assert not (await end_of(swarm, last)).head.partial
    assert flaky.steps(last) == ["worse"]
    with pytest.raises(NothingToRetry, match=f"{old} was retried as {last}"):
        await retry(swarm, old)


async def test_what_cannot_be_retried_is_refused_in_words_and_nothing_is_written(
    lab: Lab, flaky: Flaky
) -> None:
    gate = Gate()
    await lab.coordinator(CHAIN, name="lead")
    await lab.worker(executors(Runs("slow", do=gate), flaky.runs), name="hand")
    swarm = await lab.door()
    running = await ask(swarm, demand="slow")
    waiting = await ask(swarm, template="chain")
    await end_of(swarm, waiting)
    before = await swarm.log.index()
    await wait_for_async(lambda: _began(swarm, running), 10)
    state = await state_of(swarm, running)
    with pytest.raises(UsageError, match="has not ended: wait for its end"):
        await retry_request(swarm, state)
    with pytest.raises(PlanError, match="no task 'nowhere'"):
        await retry(swarm, waiting, "nowhere")
    with pytest.raises(PlanError, match="after waits for bad, which ended failed: run bad again"):
        await retry(swarm, waiting, "after")
    with pytest.raises(NothingToRetry, match="good is done"):
        await retry(swarm, waiting, "good")
    assert {f.subject for f in await swarm.log.index()} >= {f.subject for f in before}
    assert not await swarm.inbox.ids()
    gate.open()


async def _began(swarm: Swarm, request: str) -> bool:
    return "started" in await kinds(swarm, request, STEP)


async def test_a_request_withdrawn_before_anybody_took_it_is_not_retried(lab: Lab) -> None:
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await cancel_request(swarm, request, why="no")
    with pytest.raises(UsageError, match="was withdrawn before a coordinator had taken it"):
        await retry(swarm, request)


async def test_a_request_that_was_never_planned_is_planned_anew(lab: Lab, flaky: Flaky) -> None:
    lead = await lab.coordinator(name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, template="chain")
    assert (await end_of(swarm, old)).head.reason.startswith("plan: ")
    await lead.stop()
    await lab.coordinator(CHAIN, name="lead2")
    flaky.broken.clear()
    assert (await end_of(swarm, await retry(swarm, old))).head.state == "done"


async def test_a_cancelled_request_goes_on_where_it_was(lab: Lab, flaky: Flaky) -> None:
    gate = Gate()
    await lab.coordinator(template("two", step("one"), step("two", "slow", after=("one",))), name="lead")
    await lab.worker(executors(Runs("slow", do=gate), flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, template="two")

    async def runs() -> bool:
        return "started" in await kinds(swarm, old, "two")

    await wait_for_async(runs, 10)
    await cancel_request(swarm, old, why="not now")
    assert (await end_of(swarm, old)).head.state == "cancelled"
    gate.open()
    new = await retry(swarm, old)
    assert (await end_of(swarm, new)).head.state == "done"
    assert flaky.steps(new) == []


# --- the owner of a retry dies at any point ---


async def test_whoever_takes_a_retry_over_before_it_is_planned_carries_the_same(
    lab: Lab, flaky: Flaky
) -> None:
    first = await lab.coordinator(CHAIN, name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, template="chain")
    await end_of(swarm, old)
    await first.stop()
    flaky.broken.clear()
    new = await retry(swarm, old)
    # What an owner had written when it died: one task carried, and no plan yet.
    (done,) = [e for e in await entries(swarm, old, "good") if isinstance(e, Done)]
    carried = Done(by="gone", node="hand", result=done.result, carried=old)
    await swarm.log.append(new, "good", carried, expected=0)
    await lab.coordinator(CHAIN, name="next")
    assert (await end_of(swarm, new)).head.state == "done"
    assert await kinds(swarm, new, "good") == ["done"]
    assert flaky.steps(new) == ["after", "bad", "worse"]


@pytest.mark.parametrize(
    ("retried", "said"),
    [
        ("r-aaaaaaaaaaaaaaaa", "no longer stored"),
        ("*", "no earlier request"),
        ("self", "no earlier request"),
    ],
)
async def test_a_request_that_retries_nothing_fails_and_says_so(
    lab: Lab, swarm: Swarm, retried: str, said: str
) -> None:
    request = new_request("again", demand="noop")
    told = Retried(request=request.id if retried == "self" else retried)
    await submit(swarm, request.model_copy(update={"retried": told}))
    head = (await end_of(swarm, request.id)).head
    assert head.state == "failed"
    assert said in head.reason


async def test_a_result_that_is_gone_is_made_anew_and_one_that_stands_outlives(lab: Lab) -> None:
    large = "x" * 200_000
    broken = True

    async def do(task: QueuedTask, context: Context) -> Result:
        if task.task.step == "bad" and broken:
            raise FinalError("broken")
        return Result(summary=task.task.step, data=f"{task.task.step}{large}")

    runs = Runs(do=do)
    await lab.coordinator(template("three", step("kept"), step("gone"), step("bad")), name="lead")
    await lab.worker(executors(runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, template="three")
    await end_of(swarm, old)
    (*_, gone) = await entries(swarm, old, "gone")
    (*_, kept) = await entries(swarm, old, "kept")
    assert isinstance(gone, Done)
    assert isinstance(kept, Done)
    assert gone.result.ref is not None
    assert kept.result.ref is not None
    await swarm.artifacts.delete(gone.result.ref.name)
    before = await _record(swarm, kept.result.ref.name)
    broken = False
    runs.tasks.clear()
    new = await retry(swarm, old)
    assert (await end_of(swarm, new)).head.state == "done"
    assert sorted(runs.tasks) == [f"{new}.bad", f"{new}.gone"]
    assert (await entries(swarm, new, "kept"))[-1].kind == "done"
    # It counts as stored just now, so that it stays as long as the new request.
    assert await _record(swarm, kept.result.ref.name) > before
    assert len(await swarm.artifacts.get(kept.result.ref)) == kept.result.ref.size


async def _record(swarm: Swarm, name: str) -> int:
    """The sequence of an artifact's record."""
    bucket = swarm.names.artifacts
    stored = await last_message(swarm.wire, f"OBJ_{bucket}", meta_subject(bucket, name))
    assert stored is not None
    return stored.seq


# --- dead letters ---


async def test_dead_letters_of_one_request_go_again_together_once_mended(lab: Lab) -> None:
    flaky = Flaky("bad", "worse", error=RetryableError)
    await lab.coordinator(CHAIN, name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, template="chain", retry=ONCE)
    await end_of(swarm, old)
    assert {letter.id for letter in await read_letters(swarm)} == {f"{old}.bad", f"{old}.worse"}

    flaky.broken = {"worse"}
    (sent,) = await redrive(swarm, await read_letters(swarm))
    await end_of(swarm, sent.request)
    assert flaky.steps(sent.request) == ["after", "bad", "worse"]
    assert [letter.id for letter in await read_letters(swarm)] == [f"{sent.request}.worse"]

    flaky.broken.clear()
    (again,) = await redrive(swarm, await read_letters(swarm))
    assert not (await end_of(swarm, again.request)).head.partial
    assert flaky.steps(again.request) == ["worse"]
    assert await read_letters(swarm) == []


async def test_a_letter_stays_until_its_request_is_handed_in_and_sending_twice_is_harmless(lab: Lab) -> None:
    flaky = Flaky(STEP, error=RetryableError)
    lead = await lab.coordinator(name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, demand="noop", max_attempts=1)
    await end_of(swarm, old)
    letters = await read_letters(swarm)
    await lead.stop()
    (first,) = await redrive(swarm, letters)
    assert (first.new, await read_letters(swarm)) == (True, [])
    # Somebody else had read the letters before they were removed.
    (second,) = await redrive(swarm, letters)
    assert (second.request, second.new) == (first.request, False)
    flaky.broken.clear()
    await lab.coordinator(name="lead2")
    assert (await end_of(swarm, first.request)).head.state == "done"
    assert len(flaky.steps(first.request)) == 1


@pytest.mark.long
async def test_a_redrive_that_is_cut_off_while_it_removes_letters_leaves_all_or_none_of_a_request(
    lab: Lab,
) -> None:
    flaky = Flaky("bad", "worse", error=RetryableError)
    await lab.coordinator(CHAIN, name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, template="chain", retry=ONCE)
    await end_of(swarm, old)
    letters = await read_letters(swarm)
    assert len(letters) == 2
    flaky.broken.clear()
    async with Relay(lab.nats.urls[0]) as relay:
        away = await lab.door(url=relay.url)
        purge = writes("api", subject=f"STREAM.PURGE.{swarm.names.dead_letters}")
        relay.point(purge, "after", lambda write: relay.refuse())
        with pytest.raises(PicoclawError):
            await redrive(away, letters)
    rest = await read_letters(swarm)
    assert rest in ([], letters)
    await redrive(swarm, rest)
    sent = [one.id for one in await list_requests(swarm) if one.id != old]
    assert len(sent) == 1, "each dead task runs again in one request"


async def test_a_letter_whose_request_is_gone_becomes_a_request_of_its_own(lab: Lab) -> None:
    flaky = Flaky("bad", STEP, error=RetryableError)
    await lab.coordinator(CHAIN, name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, "the words", demand="noop", max_attempts=2, input={"depth": 2}, priority=3,
                    retry=Retry(first_s=0))  # fmt: skip
    await end_of(swarm, old)
    await swarm.wire.api(f"STREAM.PURGE.{swarm.names.log}", {"filter": swarm.names.log_filter(old)})
    flaky.broken.clear()
    (sent,) = await redrive(swarm, await read_letters(swarm))
    assert (await end_of(swarm, sent.request)).head.state == "done"
    request = (await state_of(swarm, sent.request)).request
    assert request is not None
    assert (request.text, request.input, request.priority) == ("the words", {"depth": 2}, 3)
    assert (request.max_attempts, request.demand) == (2, "noop")
    assert await read_letters(swarm) == []


async def test_a_letter_of_a_request_that_still_runs_stays(lab: Lab) -> None:
    gate = Gate()
    flaky = Flaky("bad", error=RetryableError)
    await lab.coordinator(template("mixed", step("bad"), step("slow", "slow")), name="lead")
    await lab.worker(executors(Runs("slow", do=gate), flaky.runs), name="hand")
    swarm = await lab.door()
    old = await ask(swarm, template="mixed", max_attempts=1)

    async def dead() -> bool:
        return bool(await read_letters(swarm))

    await wait_for_async(dead, 10)
    (kept,) = await redrive(swarm, await read_letters(swarm))
    assert f"{old} has not ended" in kept.refused
    assert len(await read_letters(swarm)) == 1
    gate.open()
    await end_of(swarm, old)


# --- policies, end to end ---


async def test_a_final_error_ends_a_task_at_its_first_attempt(lab: Lab) -> None:
    flaky = Flaky(STEP, error=RetryableError)
    await lab.coordinator(name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    request = await ask(swarm, demand="noop", retry=Retry(final=("*IS broken",)))
    ended = await end_of(swarm, request)
    assert (ended.head.state, len(flaky.runs.tasks)) == ("failed", 1)
    assert "task is broken (final by the retry policy)" in ended.head.reason
    assert await read_letters(swarm) == []


class _Defined(Runs):
    """Runs of a capability whose definition says how its failed attempts go on."""

    def __init__(self, retry: Retry, flaky: Flaky) -> None:
        super().__init__(do=flaky)
        self.retry = retry


async def test_what_a_definition_allows_holds_where_nobody_says_otherwise(lab: Lab) -> None:
    flaky = Flaky(STEP, error=RetryableError)
    runs = _Defined(Retry(attempts=5, first_s=0), flaky)
    await lab.coordinator(name="lead")
    await lab.worker(executors(runs), name="hand")
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await end_of(swarm, request)
    (*_, dead) = await entries(swarm, request, STEP)
    assert isinstance(dead, Dead)
    assert (dead.attempt, len(runs.tasks)) == (5, 5)
    other = await ask(swarm, demand="noop", max_attempts=2)
    await end_of(swarm, other)
    assert len(runs.tasks) == 7


async def test_a_task_that_must_not_run_twice_does_not_though_its_node_is_lost(lab: Lab) -> None:
    gate = Gate()
    await lab.coordinator(name="lead")
    first = _Defined(Retry(attempts=1), Flaky())
    first._do = gate
    worker = await lab.worker(executors(first), name="hand")
    swarm = await lab.door()
    request = await ask(swarm, demand="noop")
    await first.next()
    second = _Defined(Retry(attempts=1), Flaky())
    await lab.worker(executors(second), name="other")
    await worker.crash()
    ended = await end_of(swarm, request, 30)
    assert ended.head.state == "failed"
    (*_, dead) = await entries(swarm, request, STEP)
    assert isinstance(dead, Dead)
    assert dead.error == "node offline: hand"
    assert second.tasks == []


# --- deadlines ---


@pytest.mark.parametrize("where", ["queued", "pausing", "running"])
async def test_a_task_past_its_deadline_ends_wherever_it_is(lab: Lab, where: str) -> None:
    gate, retry = Gate(), None
    runs = Runs(do=gate)
    await lab.coordinator(name="lead")
    if where == "pausing":
        flaky = Flaky(STEP, error=RetryableError)
        runs, retry = flaky.runs, Retry(first_s=3600)
    if where != "queued":
        await lab.worker(executors(runs), name="hand")
    swarm = await lab.door()
    request = await ask(swarm, demand="noop", task_deadline=timedelta(seconds=1), retry=retry)
    ended = await end_of(swarm, request)
    assert ended.head.state == "failed"
    (*_, last) = await entries(swarm, request, STEP)
    assert isinstance(last, Failed)
    assert last.reason == "deadline"
    said = {"queued": "while it waited: ", "pausing": "before attempt 2", "running": "in attempt 1, on hand"}
    assert f"its deadline of 1 s passed {said[where]}" in last.error
    queued = next(e for e in await entries(swarm, request, STEP) if isinstance(e, Queued))
    assert last.at - queued.at < 4

    async def empty() -> bool:
        return not await in_queue(swarm)

    await wait_for_async(empty, 10)
    if where == "running":
        await wait_for_async(lambda: _let_go(runs), 10)
        assert runs.cancelled == [f"{request}.{STEP}"]


async def _let_go(runs: Runs) -> bool:
    return runs.active == 0


async def test_a_deadline_counts_from_the_first_release_whoever_owns_the_request(lab: Lab) -> None:
    flaky = Flaky(STEP, error=RetryableError)
    first = await lab.coordinator(name="lead")
    await lab.worker(executors(flaky.runs), name="hand")
    swarm = await lab.door()
    request = await ask(
        swarm, demand="noop", task_deadline=timedelta(seconds=3), max_attempts=100,
        retry=Retry(first_s=0.2, longest_s=0.2),
    )  # fmt: skip
    await flaky.runs.next()
    await first.crash()
    await lab.coordinator(name="next")
    assert "its deadline of 3 s passed" in (await end_of(swarm, request, 30)).head.reason
    (*_, last) = await entries(swarm, request, STEP)
    begun = (await entries(swarm, request, STEP))[0]
    assert 3 <= last.at - begun.at < 10
