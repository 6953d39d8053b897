"""Strategies: heads, deliveries and evidence as hypothesis draws them."""

from hypothesis import strategies as st

from picoclaw.swarm.fold import TaskHead
from picoclaw.swarm.records import Delivery, State
from picoclaw.swarm.rules import HolderEvidence

ENDED: tuple[State, ...] = ("cancelled", "dead", "done", "failed")

attempts = st.integers(1, 8)
times = st.floats(0, 1e9, allow_nan=False)
deliveries = st.builds(Delivery, seq=st.integers(1, 5), count=st.integers(1, 5))

evidences = st.builds(
    HolderEvidence,
    run_dead=st.booleans(),
    beat_without_task=st.none() | st.integers(0, 9),
    may_declare=st.booleans(),
    mine=st.booleans(),
    in_my_jobs=st.booleans(),
)


@st.composite
def heads(draw: st.DrawFn, *states: State) -> TaskHead:
    """Return a head that some log could have led to; without `states`, of any state."""
    state = draw(st.sampled_from(states or ("planned", "queued", "running", *ENDED)))
    if state == "planned":
        return TaskHead(seq=draw(st.integers(0, 3)))
    attempt = draw(attempts)
    running = state == "running"
    return TaskHead(
        seq=draw(st.integers(1, 1000)),
        id="e",
        state=state,
        attempt=attempt,
        excused=draw(st.integers(0, attempt - 1)),
        demand="code",
        node="n" if running else "",
        run="r" if running else "",
        delivery=draw(deliveries) if running else None,
        beat=draw(st.integers(0, 9)) if running else 0,
        not_before=draw(st.none() | times) if state == "queued" else None,
        at=draw(times),
    )
