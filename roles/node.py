"""Node: the life of one process in the swarm, whatever its role.

Connect, take a name, say what can be served, serve, drain, say goodbye. A node is advertised only
once it can serve, and announces itself again after each reconnect.
"""

import asyncio
import logging
import os
import platform
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nats.aio.client import Client

from .. import __version__
from ..capabilities.executor import Executors
from ..config.settings import NatsSettings, Settings
from ..errors import EmbeddedServerError, NodeNameTaken
from ..swarm.connection import connect
from ..swarm.demand import AGENT_PREFIX
from ..swarm.embedded.rundir import register_node, run_dir
from ..swarm.embedded.shared import EmbeddedServer
from ..swarm.identity import name_revision
from ..swarm.membership.announcer import Announcer
from ..swarm.membership.heartbeat import Advert
from ..swarm.records import new_id
from ..swarm.swarm import Me, Swarm, open_swarm
from .adverts import Adverts, Definitions
from .closed import close_to_others
from .jobs import JobTable
from .model_check import refused_models
from .offering import Offering, make_offering
from .planning.template import Template
from .promotion import Promotion, hand_over
from .scratch import scratch_folder
from .worker import Worker

if TYPE_CHECKING:
    from .coordinator import Coordinator
    from .thinking.mind import Mind

log = logging.getLogger(__name__)

LOOK_FOR_REPLACEMENT = timedelta(milliseconds=500)


def _quiet(_: str) -> None:
    return


@dataclass(slots=True, kw_only=True)
class Node:
    """One node to be run."""

    settings: Settings
    definitions: Definitions
    """What this machine may do, and by which templates its requests are planned."""
    home: Path
    """`~/.picoclaw`, or where its like shall be."""
    source: str = ""
    """Where the address of NATS came from, for errors."""
    capabilities_given: bool = True
    """The user named capabilities; a coordinator serves tasks only then."""
    say: Callable[[str], None] = _quiet
    """Tells the user at the terminal."""
    run: str = field(default_factory=new_id)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: drain and end."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    swarm: Swarm | None = field(default=None, init=False)
    adverts: Adverts = field(init=False)

    def __post_init__(self) -> None:
        self.adverts = Adverts(definitions=self.definitions, make=self._offering)

    @property
    def name(self) -> str:
        return self.settings.swarm.name or f"claw-{self.run[:8]}"

    async def serve(self) -> None:
        """Serve until `stop` is set, then drain.

        Raises ConfigError for a wrong definition file or with `strict`, PlanError for a wrong workflow
        file, NodeNameTaken, and what connecting raises.
        """
        close_to_others()
        adverts = self.adverts
        offering = await adverts.begin()
        self.definitions.registered.refused = await refused_models(self.settings, offering)
        if self.definitions.registered.refused:
            offering = await adverts.begin()
        for name, why in offering.not_ready.items():
            log.warning("capability %s is declared, not ready: %s", name, why)
        offering.check_strict(self.settings.swarm)
        async with AsyncExitStack() as stack:
            nats, resolve = await self._server(stack)
            mind = self._mind()
            if mind is not None:
                # Once nobody asks any more: a question that is cut would be taken for a model's failure.
                stack.push_async_callback(mind.client.close)
            swarm = await stack.enter_async_context(self._open(nats, resolve))
            self.swarm = swarm
            await swarm.follow_limits()
            await swarm.follow_lanes()
            registry = await self.definitions.registered.follow(swarm)
            if self.definitions.registered.records:
                offering = await adverts.begin()
            revision = await name_revision(swarm.wire, swarm.names, self.name, self.run)
            registration = register_node(run_dir(self.home), self.name, self.settings.swarm.role, os.getpid())
            stack.enter_context(registration)
            jobs = JobTable(self.settings.swarm.max_concurrent)
            announcer = Announcer(
                swarm.wire,
                swarm.names,
                offering.advertised_by(self._advert()),
                interval=nats.heartbeat_interval,
                node_timeout=nats.node_timeout,
                tasks=jobs.ids,
                repair=swarm.ensure_streams,
            )
            worker = Worker(
                swarm,
                announcer,
                jobs,
                offering.offer,
                adverts.find,
                cache=self.home / "cache" / "repositories",
                scratch=stack.enter_context(scratch_folder(self.home / "jobs")),
            )

            def new_coordinator() -> "Coordinator":
                from .coordinator import Coordinator  # most nodes never lead
                from .thinking.connecting import lacking

                return Coordinator(
                    swarm,
                    adverts.templates,
                    can_run_here=adverts.can_run,
                    mind=mind,
                    no_mind=lacking(self.settings.llm) if mind is None else "",
                )

            coordinator = new_coordinator() if self.settings.swarm.role == "coordinator" else None
            promotion = Promotion(swarm, announcer, new_coordinator) if self.settings.swarm.may_lead else None

            def changed(after: Offering) -> None:
                worker.change_offer(after.offer)
                announcer.change(after.advertised_by(announcer.advert))
                own = self.definitions.registered.register(registry, after.executors, by=self.name)
                swarm.tasks.start(own, name="register agents")

            def templates_changed(templates: tuple[Template, ...]) -> None:
                for planner in (coordinator, promotion):
                    if planner is not None:
                        planner.change_templates(templates)

            await swarm.follow_members()
            await announcer.join(expected=revision, orders=worker.on_order, at=swarm.members.server.now())
            swarm.on_reconnect(announcer.again)
            swarm.members.on_doubt(announcer.again)
            swarm.tasks.start(announcer.run(), name="announce")
            swarm.tasks.start(worker.run(), name="work")
            swarm.tasks.start(adverts.run(changed, templates_changed), name="look at this machine")
            if coordinator is not None:
                from ..swarm.janitor import Janitor

                swarm.tasks.start(coordinator.run(), name="coordinate")
                swarm.tasks.start(Janitor(swarm).run(), name="janitor")
            if promotion is not None:
                swarm.tasks.start(promotion.run(), name="stand by as coordinator")
            await self.definitions.registered.register(registry, offering.executors, by=self.name)
            self._greet(swarm, offering, announcer.advert.sandbox)
            self.ready.set()
            await self._until_stopped(swarm)
            announcer.drain()
            if coordinator is not None:
                coordinator.drain()
            async with asyncio.TaskGroup() as group:
                group.create_task(worker.drain(self.settings.swarm.drain_timeout), name="drain")
                if coordinator is not None:
                    # Sooner than others would learn of it by the goodbye, where there is another one.
                    group.create_task(hand_over(coordinator, swarm), name="hand over")
                if promotion is not None:
                    group.create_task(promotion.leave(), name="leave the role")
            await announcer.goodbye()
            self.say("left the swarm")

    # --- what it can do ---

    def _offering(self, executors: Executors) -> Offering:
        return make_offering(
            self.settings.swarm, self.name, executors, capabilities_given=self.capabilities_given
        )

    def _mind(self) -> "Mind | None":
        """Return the model that plans here. Raises ConfigError for a wrong file of prices."""
        if self.settings.swarm.role != "coordinator" and not self.settings.swarm.may_lead:
            return None

        from .thinking.connecting import connect_mind

        def described() -> Mapping[str, str]:
            records = self.definitions.registered.records
            return {f"{AGENT_PREFIX}{record.name}": record.description for record in records}

        return connect_mind(self.settings.llm, self.home, described=described)

    def _advert(self) -> Advert:
        settings = self.settings.swarm
        return Advert(
            node=self.name,
            run=self.run,
            sid=settings.sid or self.run,
            role=settings.role,
            leads=settings.role == "coordinator" or None,
            promotable=settings.may_lead or None,
            sandbox=_sandbox(self.settings) if settings.role != "coordinator" else None,
            slots=settings.max_concurrent,
            labels=dict(settings.labels),
            host=platform.node(),
            pid=os.getpid(),
            version=__version__,
        )

    # --- where it stands ---

    async def _server(
        self, stack: AsyncExitStack
    ) -> tuple[NatsSettings, Callable[[], Awaitable[NatsSettings]] | None]:
        nats = self.settings.swarm.nats
        if not nats.embedded:
            return nats, None
        server = EmbeddedServer(nats, home=self.home)
        joined = await server.join()

        async def leave() -> None:
            try:
                await server.leave()
            except EmbeddedServerError as error:
                log.warning("%s", error)

        stack.push_async_callback(leave)
        return joined, server.ensure

    def _open(
        self, nats: NatsSettings, resolve: Callable[[], Awaitable[NatsSettings]] | None
    ) -> AbstractAsyncContextManager[Swarm]:
        async def dial(
            disconnected: Callable[[], Awaitable[None]], reconnected: Callable[[], Awaitable[None]]
        ) -> Client:
            return await connect(
                nats,
                name=self.name,
                first_wait=nats.connect_timeout,
                source=self.source,
                say=self.say,
                on_disconnect=disconnected,
                on_reconnect=reconnected,
                on_problem=lambda problem: log.warning("%s", problem),
                resolve=resolve,
            )

        me = Me(node=self.name, run=self.run)
        return open_swarm(dial, nats, hid=self.settings.swarm.hid, me=me)

    def _planner(self) -> str:
        """Return the model that plans here; empty where none is set, or none can be asked."""
        llm = self.settings.llm
        if not (llm.model or llm.coordinator.model):
            return ""
        from .thinking.connecting import coordinators_models, lacking

        return "" if lacking(llm) else coordinators_models(llm)[0]

    def _greet(self, swarm: Swarm, offering: Offering, sandbox: str | None) -> None:
        settings = self.settings.swarm
        serves = ", ".join(sorted(offering.offer.capabilities)) or "no tasks itself"
        self.say(f"{self.name} ({settings.role}, pid {os.getpid()}) is in swarm {swarm.names.hid!r}")
        self.say(f"serves: {serves}; slots: {settings.max_concurrent}")
        if offering.offer.agents:
            own = f"; llm.model: {self.settings.llm.model}" if self.settings.llm.model else ""
            self.say(f"agents: {', '.join(sorted(offering.offer.agents))}{own}")
        if settings.role == "coordinator" and (model := self._planner()):
            self.say(f"plans any words by {model}")
        if not offering.offer.capabilities and settings.role != "coordinator":
            log.warning(
                "this %s serves no task: give it --swarm.capabilities, such as general (it was told %s)",
                settings.role,
                ", ".join(settings.capabilities),
            )
        if offering.offer.agents and sandbox == "none":
            log.warning(
                "commands of agents run in no sandbox here: they reach all that this user can, and could answer what "
                "agents ask people; `picoclaw doctor` says why, agents.sandbox=bubblewrap runs none then"
            )

    async def _until_stopped(self, swarm: Swarm) -> None:
        while not self.stop.is_set():
            if swarm.members.replaced is not None:
                raise NodeNameTaken(
                    f"another process took over the name {self.name!r} while this node was silent: "
                    "this one ends; give each node a --swarm.name of its own"
                )
            try:
                async with asyncio.timeout(LOOK_FOR_REPLACEMENT.total_seconds()):
                    await self.stop.wait()
            except TimeoutError:
                continue


def _sandbox(settings: Settings) -> str | None:
    """Return what commands of agents run in here; None without a model, or where they do not run."""
    if not settings.llm.model:
        return None
    from ..capabilities.agent.sandbox.choose import choose

    chosen = choose(settings.agents).sandbox
    return chosen.name if chosen is not None else None
