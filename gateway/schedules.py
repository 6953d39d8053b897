"""The Python client's view of what recurs: `swarm.schedules`."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue

from ..config.names import check_name
from ..config.zones import zone_of
from ..swarm.cron.look import ScheduleRow, schedule_rows
from ..swarm.cron.spec import parse_spec
from ..swarm.cron.store import (
    Standing,
    create_schedule,
    delete_schedule,
    enable_schedule,
    find_schedule,
    list_schedules,
)
from ..swarm.server_time import server_time
from ..swarm.submission import Unroutable
from ..swarm.swarm import Swarm
from .asked import sender
from .checked import asked_for
from .recurring import fire_now, recurring_request


class Schedules:
    """Requests that come again and again. Names may be whole, or any beginning that fits no other."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm

    async def create(
        self,
        name: str,
        spec: str,
        text: str,
        *,
        zone: str = "UTC",
        capability: str | None = None,
        node: str | None = None,
        labels: Mapping[str, str] | None = None,
        repo: str | None = None,
        template: str | None = None,
        input: Mapping[str, JsonValue] | None = None,
        priority: int = 1,
        deadline: timedelta | None = None,
        unroutable: Unroutable | None = None,
        max_attempts: int | None = None,
        replace: bool = False,
    ) -> ScheduleRow:
        """Set what is asked at the times of `spec` in a time zone; the very same again changes nothing.

        `spec` is as in `picoclaw cron create`, `repo` a git URL, the rest as in `submit`. Raises
        UsageError and its kind, also for a name that is taken unless `replace`; ServerTooOld, SwarmError.
        """
        name = check_name(name, "the name")
        parse_spec(spec)
        zone_of(zone)
        asked = asked_for(
            text, capability=capability, node=node, labels=labels, repo=repo, template=template, input=input,
            priority=priority, deadline=deadline, unroutable=unroutable, max_attempts=max_attempts, key=None,
        )  # fmt: skip
        request = await recurring_request(asked)
        standing, _ = await create_schedule(
            self._swarm, name, spec, zone, request, by=sender(), replace=replace
        )
        return await self._row(standing)

    async def list(self) -> list[ScheduleRow]:
        """Return what recurs, by name, with its next time and what became of its last requests."""
        now = await server_time(self._swarm)
        return await schedule_rows(self._swarm, await list_schedules(self._swarm), now)

    async def get(self, name: str) -> ScheduleRow:
        """Return one of them. Raises NotFound, Ambiguous."""
        return await self._row(await find_schedule(self._swarm, name))

    async def run(self, name: str) -> str:
        """Fire one now, and return the request's id. Raises NotFound, Ambiguous, RepositoryError."""
        return await fire_now(self._swarm, (await find_schedule(self._swarm, name)).schedule)

    async def enable(self, name: str, *, enabled: bool = True) -> ScheduleRow:
        """Let one come again, or, with `enabled=False`, come no more.

        Raises NotFound, Ambiguous, AppendRefused when somebody else changed it at the same moment.
        """
        standing = await find_schedule(self._swarm, name)
        if standing.schedule.enabled is not enabled:
            standing = await enable_schedule(self._swarm, standing, enabled=enabled, by=sender())
        return await self._row(standing)

    async def delete(self, name: str) -> None:
        """Remove one, by its whole name; what it has started goes on. Raises NotFound, AppendRefused."""
        await delete_schedule(self._swarm, await find_schedule(self._swarm, name, whole=True))

    async def _row(self, standing: Standing) -> ScheduleRow:
        (row,) = await schedule_rows(self._swarm, [standing], await server_time(self._swarm))
        return row
