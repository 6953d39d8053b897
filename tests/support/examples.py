"""One example of every record of the swarm, with every field set: what the golden files hold."""

from picoclaw.swarm import entries, steps
from picoclaw.swarm.agents.record import AgentRecord
from picoclaw.swarm.approvals.record import ApprovalRecord
from picoclaw.swarm.cron.record import Schedule
from picoclaw.swarm.lanes import LaneRecord
from picoclaw.swarm.limits.record import SwarmLimits
from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.pause import PauseRecord
from picoclaw.swarm.records import (
    ArtifactRef,
    Broadcast,
    DeadLetter,
    Delivery,
    Firing,
    Limited,
    Parent,
    Payer,
    Plan,
    Planning,
    PolicyRecord,
    QueuedTask,
    Record,
    RepositoryRef,
    Request,
    Result,
    Retried,
    Retry,
    RuleRecord,
    Task,
)
from picoclaw.swarm.sharing.blackboard import Shared, SharedBody
from picoclaw.swarm.sharing.post import Claim, Post
from picoclaw.swarm.sharing.spending import Running, Spending, Sum

ARTIFACT = ArtifactRef(name="a-1", size=12, digest="ab" * 32, media_type="text/plain", filename="report.md")
REPOSITORY = RepositoryRef(
    url="https://example.org/demo.git",
    commit="0123456789abcdef0123456789abcdef01234567",
    snapshot=ARTIFACT,
    label="demo",
    place="src/web",
)
RETRY = Retry(attempts=5, first_s=0.5, longest_s=60.0, final=("*no such file*", "exit 2*"))
BROADCAST = Broadcast(quorum=2, within_s=30.0)
RETRIED = Retried(request="r-qrstuvwxyz234567", steps=("code",))
FIRING = Firing(schedule="nightly", at=1795000000.0)
RULE = RuleRecord(tool="bash", what="git push*", decision="ask")
BUDGET = Limited(usd=2.5, tokens=200_000, turns=40, on_breach="ask")
POLICY = PolicyRecord(rules=(RULE,), default="deny")
PARENT = Parent(
    task="r-abcdefghijklmnop.code", root="r-abcdefghijklmnop", depth=1,
    payers=(Payer(task="r-abcdefghijklmnop.code", limits=BUDGET),), policies=(POLICY,),
)  # fmt: skip
SUM = Sum(turns=3, tokens=12_000, usd=0.25, unpriced=1, maybe_billed=1)
RUNNING = Running(attempt=2, base=SUM, spent=SUM, reserved=SUM)
TASK = Task(
    step="security", title="Look for secrets", demand="security@region=us", capability="security",
    input={"text": "Review this repository", "deep": {"list": [1, None, "ä"]}}, repository=REPOSITORY,
    after=("code", "docs"), needs="settled", priority=2, timeout_s=60.5, deadline_s=600.0, max_attempts=5, retry=RETRY,
    unroutable="skip", grace_s=2.5,
)  # fmt: skip
PLANNING = Planning(
    by="model", model="anthropic/claude-opus-5", note="two areas", revision=2, settled=("code",),
    dropped=("docs",), turns=3, tokens=4200, usd=0.025,
)  # fmt: skip
PLAN = Plan(
    tasks=(TASK,), join="table", join_options={"columns": {"task": "title"}}, partial="fail",
    template="code-review", planning=PLANNING,
)  # fmt: skip
RESULT = Result(
    summary="2 findings", data={"findings": [1, 2]}, artifacts=(ARTIFACT,), log="read 2 files", partial="no price", ref=ARTIFACT
)  # fmt: skip
REQUEST = Request(
    id="r-abcdefghijklmnop", key_digest="cd" * 32, text="Review this repository", demand="code",
    capability="code", repository=REPOSITORY, template="code-review", plan="model", workflow={"name": "code-review"}, input={"depth": 2}, priority=3, deadline_s=600.0,
    unroutable="fail", max_attempts=2, task_timeout_s=60.5, task_deadline_s=300.0, retry=RETRY, broadcast=BROADCAST, retried=RETRIED, firing=FIRING, ref=ARTIFACT,
    budget=BUDGET, parent=PARENT, trace="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    sender="claw-1a2b3c4d",
)  # fmt: skip
DELIVERY = Delivery(seq=7, count=2)
QUEUED_TASK = QueuedTask(
    request="r-abcdefghijklmnop", task=TASK, priority=2, queued_seq=41, attempt=2, excused=1, lane="node:claw-1",
    text="Review this repository", inputs={"code": RESULT}, ref=ARTIFACT,
    budget=BUDGET, parent=PARENT, trace="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
)  # fmt: skip
STEP = {"id": "0011223344556677", "at": 1795000000.25}
WRITTEN = {"id": "0011223344556677", "by": "claw-1a2b3c4d", "at": 1795000000.25}

EXAMPLES: dict[str, Record] = {
    "artifact_ref": ARTIFACT,
    "repository_ref": REPOSITORY,
    "retry": RETRY,
    "broadcast": BROADCAST,
    "retried": RETRIED,
    "firing": FIRING,
    "budget": BUDGET,
    "payer": PARENT.payers[0],
    "parent": PARENT,
    "shared": Shared(
        key="findings", value={"count": 2}, ref=ARTIFACT, by="r-abcdefghijklmnop.code", calls=("4-call_1",)
    ),
    "post": Post(
        id="r-abcdefghijklmnop-code-4-0123456789", to="agent:coder", sender="r-abcdefghijklmnop.docs",
        text="the tests are red", at=1795000000.25,
    ),
    "shared_body": SharedBody(value=["a", {"b": None}]),
    "sum": SUM,
    "running": RUNNING,
    "claim": Claim(task="r-abcdefghijklmnop.code"),
    "spending": Spending(
        ended=SUM, running={"r-abcdefghijklmnop.code": RUNNING},
        raised=BUDGET, requests=("r-qrstuvwxyz234567",),
    ),
    "task": TASK,
    "planning": PLANNING,
    "plan": PLAN,
    "result": RESULT,
    "request": REQUEST,
    "delivery": DELIVERY,
    "queued_task": QUEUED_TASK,
    "dead_letter": DeadLetter(queued=QUEUED_TASK, attempt=3, error="boom", node="claw-1a2b3c4d"),
    "limits": SwarmLimits(
        caps={"code": 4, "security": 0}, request_running=50, request_queued=20_000, tenant_running=200,
        tenant_queued=100, budget_usd=20.5, budget_tokens=5_000_000, budget_turns=1_000, keep_requests_s=259_200.0, keep_dead_letters_s=604_800.0, keep_artifacts_s=86_400.0,
        keep_events_s=60.0, keep_lanes_s=600.0, size_log=2 << 30, size_journal=1 << 29, size_inbox=1 << 28, size_dead_letters=1 << 27,
        size_events=1 << 26, size_artifacts=10 << 30,
    ),
    "schedule": Schedule(
        name="nightly", spec="30 2 * * mon-fri", zone="Europe/Berlin", request=REQUEST, enabled=False, thinned=True,
        edit="8899aabbccddeeff", created_at=1795000000.5, created_by="ann@box", changed_at=1795000001.5,
        changed_by="bob@box",
    ),
    "lane": LaneRecord(demand="code", priorities=(0, 1), state="closing", served=True),
    "heartbeat": Heartbeat(
        node="claw-1a2b3c4d", run="8899aabbccddeeff", sid="s-1", role="specialist", beat=12, interval_s=10.0,
        timeout_s=60.0, slots=5, tasks=("r-abcdefghijklmnop.security",), draining=True, goodbye=True,
        capabilities=("code", "security"), named=("security",), marks=("coordination",), general=True,
        not_ready={"research": "a model"}, labels={"region": "us"}, agents=("coder",), leads=True,
        promotable=True, sandbox="bubblewrap", optional={"codex": "needs codex on the PATH"}, started=93.125,
        born=1794999900.5, host="box", pid=4711, version="0.1.0", store=1,
    ),
    "entry_queued": entries.Queued(
        **WRITTEN, attempt=2, excused=1, demand="code", priority=1, reason="node offline: claw-2",
        not_before=1795000010.5,
    ),
    "entry_started": entries.Started(
        **WRITTEN, node="claw-1a2b3c4d", run="8899aabbccddeeff", attempt=2, excused=1, demand="code", priority=1,
        delivery=DELIVERY, ack="$JS.ACK.TASKS.lane.2.7.9.1795000000250000000.0", limit=4, beat=12,
    ),
    "entry_done": entries.Done(
        **WRITTEN, node="claw-1a2b3c4d", run="8899aabbccddeeff", attempt=2, result=RESULT,
        carried="r-qrstuvwxyz234567", partial=True
    ),
    "entry_failed": entries.Failed(
        **WRITTEN, reason="deadline", error="it ran for over 60 s", attempt=2, node="claw-1a2b3c4d", result=RESULT,
        carried="r-qrstuvwxyz234567",
    ),
    "entry_cancelled": entries.Cancelled(
        **WRITTEN, reason="person", why="not needed", text="Review this", result=RESULT, carried="r-qrstuvwxyz234567"
    ),
    "entry_dead": entries.Dead(
        **WRITTEN, attempt=3, error="boom", node="claw-1a2b3c4d", carried="r-qrstuvwxyz234567"
    ),
    "entry_accepted": entries.Accepted(
        **WRITTEN, owner="claw-c", run="8899aabbccddeeff", request=REQUEST
    ),
    "entry_owner": entries.Owner(**WRITTEN, owner="claw-c", run="8899aabbccddeeff"),
    "entry_planned": entries.Planned(
        **WRITTEN, owner="claw-c", run="8899aabbccddeeff", plan=PLAN, ref=ARTIFACT, revision=2
    ),
    "entry_cancelling": entries.Cancelling(
        **WRITTEN, why="a person asked", owner="claw-c", run="8899aabbccddeeff"
    ),
    "policy_rule": RULE,
    "policy": POLICY,
    "approval": ApprovalRecord(
        id="a-abcdefghijkl", request="r-abcdefghijklmnop", step="code", about="tool", number=4, digest="ef" * 32,
        tool="bash", call="toolu_1", text="bash command=git push", rules=("ask bash: git push*",), node="claw-1a2b3c4d",
        asked_at=1795000000.5, expires_at=1795086400.5, verdict="allow", by="ann@box", why="it is mine", always=True,
        answered_at=1795000060.5,
    ),
    "agent": AgentRecord(
        name="coder", description="Writes code", models=("anthropic/claude-opus-5",), system="You write code.",
        tools=("bash", "mcp__*"), skills=("git",), mcp=("github",), capabilities=("code",), budget=BUDGET,
        wall_s=1800.0, rules=(RULE,), default="deny", max_tokens=4096, created_at=1795000000.5, created_by="ann@box",
    ),
    "pause": PauseRecord(request="r-abcdefghijklmnop", by="ann@box", why="wrong prices", since=1795000000.5),
    "step_takeover": steps.Takeover(**STEP, attempt=2, node="claw-1a2b3c4d", run="8899aabbccddeeff"),
    "step_intent": steps.Intent(
        **STEP, number=3, what="tool", name="bash", call="toolu_1", repeatable=False, digest="ef" * 32,
        reserved_usd=0.25, reserved_tokens=4000,
    ),
    "step_outcome": steps.Outcome(
        **STEP, number=3, state="uncertain", body={"text": "ä", "left": None}, ref=ARTIFACT, error="its node was lost",
        maybe_billed=1,
    ),
    "step_note": steps.Note(**STEP, what="told", number=4, body={"text": "go on"}),
}  # fmt: skip
