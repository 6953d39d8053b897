"""Figures: what is measured, and how many numbers become one."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

PAYLOAD = "x" * 200
"""What a no-op task carries, and returns."""


@dataclass(slots=True)
class Run:
    """One burst: N tasks handed in, N results held."""

    tasks: int
    seconds: float
    """From the first byte handed in to the last result held."""
    done: int
    """Different tasks whose result came."""
    extra: int
    """Results beyond one per task, and tasks that ended in another way than done."""
    first: float
    """From the first byte handed in to the first result held."""
    stall: float
    """Longest time between two results, in seconds."""
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU seconds by part: workers, coordinator, client, server."""
    foreign: float = 0.0
    """Cores that processes of others used meanwhile."""
    load: float = 0.0
    """Load average of the last minute, at its end."""

    @property
    def rate(self) -> float:
        return self.tasks / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        return 1000 * sum(self.cpu.values()) / self.tasks


@dataclass(slots=True)
class Trips:
    """Times of single rounds on an idle swarm, in seconds."""

    whole: list[float] = field(default_factory=list)
    """Handed in to the last result held by the client."""
    task: list[float] = field(default_factory=list)
    """First `queued` to last `done`, by the server's clock in the log."""
    end: list[float] = field(default_factory=list)
    """Handed in to the request's own end, its report held; ours alone."""


@dataclass(slots=True)
class System:
    """Everything measured of one contender, by number of worker processes."""

    name: str
    bursts: dict[int, list[Run]] = field(default_factory=dict)
    single: dict[int, Trips] = field(default_factory=dict)
    eight: dict[int, Trips] = field(default_factory=dict)

    def rate(self, workers: int) -> float:
        return statistics.median(run.rate for run in self.bursts[workers])

    def cpu(self, workers: int) -> float:
        return statistics.median(run.cpu_per_1000 for run in self.bursts[workers])

    def stall(self) -> float:
        """Return the longest pause of all: before a burst's first result, between two, or a whole round."""
        rounds = [
            *(s for trips in self.single.values() for s in trips.whole),
            *(s for trips in self.eight.values() for s in trips.whole),
        ]
        return max(
            [0.0, *(max(run.first, run.stall) for runs in self.bursts.values() for run in runs), *rounds]
        )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def burst_of(tasks: int, began: float, ended: float, arrivals: Sequence[float], extra: int) -> Run:
    """Return the run that these arrivals of results make."""
    gap = max((b - a for a, b in itertools.pairwise(arrivals)), default=0.0)
    return Run(tasks, ended - began, len(arrivals), extra, arrivals[0] - began if arrivals else 0.0, gap)
