"""MCP servers as tools: real ones over stdio and HTTP, well-behaved and not."""

import asyncio
import dataclasses
import gzip
import http.server
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from picoclaw.capabilities.agent.mcp.server import Http, Server, ServerLimits, Stdio
from picoclaw.capabilities.agent.mcp.source import McpSource, Opened, opened
from picoclaw.capabilities.agent.profiles.profile import Profile
from picoclaw.capabilities.agent.tools.tool import ToolResult
from picoclaw.capabilities.agent.tools.toolbox import Kit
from picoclaw.config.settings import FilesSettings, Settings
from picoclaw.tests.support.agent_tools import Hand
from picoclaw.tests.support.waiting import wait_for, wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


def programs() -> list[psutil.Process]:
    """What this process has started, but for the servers that its tests share."""
    return [one for one in psutil.Process().children(recursive=True) if one.name() != "nats-server"]


SUPPORT = Path(__file__).parents[1] / "support"
WORKSHOP = (sys.executable, str(SUPPORT / "mcp_server.py"))
ROGUE = (sys.executable, "-S", str(SUPPORT / "mcp_rogue.py"))
SECRET = "token-of-the-workshop"


@asynccontextmanager
async def connected(server: Server, hand: Hand) -> AsyncIterator["Shop"]:
    """A server as a job has it, and how its tools are used."""
    async with opened([server], {**os.environ, "SHOP_TOKEN": SECRET, "LLM_API_KEY": "not-for-servers"}) as (
        one,
    ):
        yield Shop(one, hand)


class Shop:
    def __init__(self, one: Opened, hand: Hand) -> None:
        self.one = one
        self.hand = hand
        self.tools = {tool.tool: tool for tool in one.tools}

    async def use(self, name: str, /, **arguments: object) -> ToolResult:
        return await self.tools[name].use(arguments, self.hand.place())  # type: ignore[arg-type]


def workshop(**limits: object) -> Server:
    way = Stdio(argv=(*WORKSHOP, "stdio"), env={"SHOP_TOKEN": "${SHOP_TOKEN}"})
    return Server(name="shop", place="mcp.yaml:1", way=way, limits=ServerLimits(**limits))  # type: ignore[arg-type]


def rogue(misdeed: str, **limits: object) -> Server:
    usual: dict[str, object] = {
        "call": timedelta(seconds=5),
        "connect": timedelta(seconds=10),
        "result": 2**16,
    }
    return Server(
        name="rogue",
        place="mcp.yaml:1",
        way=Stdio(argv=(*ROGUE, misdeed)),
        trust=True,
        limits=ServerLimits(**{**usual, **limits}),  # type: ignore[arg-type]
    )


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path / "agent")


@contextmanager
def http_workshop() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [*WORKSHOP, "http", str(port)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: _answers(port), 20)
        yield f"http://127.0.0.1:{port}/mcp", server
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


async def test_a_program_serves_tools_and_sees_nothing_that_it_was_not_given(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-node")
    async with connected(workshop(), hand) as shop:
        assert shop.one.connection.protocol == "2026-07-28"
        assert shop.tools["add"].spec.name == "mcp__shop__add"
        assert shop.tools["add"].spec.schema["required"] == ["a", "b"]
        assert (await shop.use("add", a=1, b=2)).text == "3"

        seen = (await shop.use("environment")).text
        assert "ANTHROPIC" not in seen
        assert "LLM_API_KEY" not in seen
        # It was given this one, and what it says of it is masked.
        assert "SHOP_TOKEN=***" in seen
        assert SECRET not in seen

        picture = await shop.use("picture")
        assert (picture.error, len(picture.artifacts)) == (False, 1)
        assert picture.artifacts[0].media_type == "image/png"
        assert await hand.context.artifacts.get(picture.artifacts[0]) == b"\x89PNG not quite"
        assert picture.artifacts[0].filename == "mcp__shop__picture-1.png"
        assert "mcp__shop__picture-1.png" in picture.text

        assert (await shop.use("both")).text == '{"answer": 42}'
        wrong = await shop.use("add", a="x", b=1)
        assert wrong.error
        failed = await shop.use("fail", why="no")
        assert failed.error
        program = programs()
        assert program
    assert not psutil.wait_procs(program, timeout=0)[1]


async def test_what_a_stranger_says_of_himself_is_believed_only_where_its_user_does(hand: Hand) -> None:
    async with connected(workshop(), hand) as shop:
        assert not any(tool.repeatable for tool in shop.one.tools)
    trusted = Server(name="shop", place="", way=workshop().way, trust=True, tools=("a*", "note", "die"))
    async with connected(trusted, hand) as shop:
        assert {name: tool.repeatable for name, tool in shop.tools.items()} == {
            "add": True,
            "note": False,
            "die": True,
        }


async def test_a_server_that_dies_is_started_again_a_few_times_and_then_told_of(hand: Hand) -> None:
    async with connected(dataclasses.replace(rogue("dies"), trust=False), hand) as shop:
        for _ in range(4):
            died = await shop.use("add", a=1)
            assert died.error
            assert "exit code 3" in died.text
            assert "my last words: out of order" in died.text
            assert "not known" in died.text  # it is not repeatable without trust
        last = await shop.use("add", a=1)
        assert last.error
        assert "started 4 times" in last.text
        assert "do without it" in last.text


async def test_between_calls_it_may_die_unseen(hand: Hand) -> None:
    before = set(psutil.Process().children())
    async with connected(rogue(""), hand) as shop:
        (supervisor,) = set(psutil.Process().children()) - before
        (program,) = supervisor.children()
        program.kill()
        await wait_for_async(lambda: asyncio.sleep(0, bool(shop.one.connection._state.why)))  # type: ignore[union-attr]
        assert (await shop.use("add", a=1)).text == "well"


async def test_one_that_does_not_answer_is_given_up_and_ended(hand: Hand) -> None:
    async with connected(rogue("mute", call=timedelta(milliseconds=300)), hand) as shop:
        answer = await shop.use("add", a=1)
        assert answer.error
        assert "did not answer within 300ms" in answer.text


async def test_an_idle_one_is_ended_and_comes_back(hand: Hand) -> None:
    async with connected(rogue("", idle=timedelta(milliseconds=200)), hand) as shop:
        task = shop.one.connection._task
        assert task is not None
        async with asyncio.timeout(10):
            await asyncio.wait({task})
        for _ in range(2):
            assert (await shop.use("add", a=1)).text == "well"


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        ("flood-line", "without an answer, and was cut off"),
        ("flood-messages", "without an answer, and was cut off"),
        ("nonsense", "none of MCP"),
    ],
)
async def test_misdeeds_of_a_call_are_told_in_words(misdeed: str, words: str, hand: Hand) -> None:
    before = psutil.Process().memory_info().rss
    async with connected(rogue(misdeed), hand) as shop:
        answer = await shop.use("add", a=1)
        assert answer.error
        assert words in answer.text, answer.text
    assert psutil.Process().memory_info().rss - before < 100 * 2**20
    assert not programs()


async def test_garbage_between_its_messages_does_no_harm(hand: Hand) -> None:
    async with connected(rogue("garbage"), hand) as shop:
        assert (await shop.use("add", a=1)).text == "well"


async def test_lies_about_schemas_are_left_out_and_named(hand: Hand) -> None:
    async with connected(rogue("lies"), hand) as shop:
        assert set(shop.one.refused) == {"far", "endless", "deep", "huge"}
        first, second = shop.tools["add"].spec, shop.tools["add!"].spec
        assert first.schema == {"type": "object", "properties": {"a": {"type": "integer"}}}
        assert first.name != second.name
        assert second.name.startswith("mcp__rogue__add")
        assert "\x1b" not in second.description
        assert "\u200b" not in second.description
        assert len(second.description) < 1100


async def test_no_more_tools_than_its_limit(hand: Hand) -> None:
    async with connected(rogue("many", tools=10), hand) as shop:
        assert len(shop.tools) == 10


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        ("leaves", "exit code 7; its last words: I lack a setting"),
        ("silent", "within 1s"),
        ("array", "none of MCP"),
    ],
)
async def test_one_that_is_not_there_keeps_nobody_from_work(misdeed: str, words: str, hand: Hand) -> None:
    async with connected(rogue(misdeed, connect=timedelta(seconds=1)), hand) as shop:
        assert shop.one.tools == ()
        assert words in shop.one.why
    assert not programs()


async def test_nothing_is_left_of_one_that_stays_and_forks_away(hand: Hand) -> None:
    async with connected(rogue("stays"), hand) as shop:
        assert (await shop.use("add", a=1)).text == "well"
        assert len(programs()) == 3
    assert not programs()


async def test_a_job_that_is_cancelled_leaves_no_server(hand: Hand) -> None:
    begun = asyncio.Event()

    async def job() -> None:
        async with connected(rogue("mute"), hand) as shop:
            begun.set()
            await shop.use("add", a=1)

    task = asyncio.create_task(job())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not programs()


async def test_a_server_elsewhere_by_http(hand: Hand) -> None:
    with http_workshop() as (url, process):
        way = Http(url=url, headers={"Authorization": "Bearer ${SHOP_TOKEN}"})
        server = Server(name="far", place="", way=way, limits=ServerLimits(result=2**16))
        async with connected(server, hand) as shop:
            assert (await shop.use("add", a=20, b=22)).text == "42"
            much = await shop.use("much", characters=500_000)
            assert much.error
            assert "over" in much.text
            assert (await shop.use("add", a=1, b=1)).text == "2"
            process.kill()
            process.wait()
            assert (await shop.use("add", a=1, b=1)).error
        async with connected(server, hand) as shop:
            assert shop.one.tools == ()
            assert "cannot be reached" in shop.one.why


async def test_a_profile_names_servers_and_the_log_says_which_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "mcp.yaml"
    file.write_text(
        f"""\
servers:
  good: {{command: {list(ROGUE)}, args: [fine]}}
  other: {{command: {list(ROGUE)}, args: [fine]}}
  absent: {{command: no-such-program-here}}
""",
        encoding="utf-8",
    )
    settings = Settings(mcp=FilesSettings(path=(file,)))
    with caplog.at_level(logging.WARNING):
        kit = Kit(profile=Profile(name="a", mcp=("good", "absent", "goood")), settings=settings)
        async with McpSource().open(kit) as tools:
            assert [tool.spec.name for tool in tools] == ["mcp__good__add"]
    told = caplog.text
    assert "absent is left out: it needs no-such-program-here on the PATH" in told
    assert "No MCP server is called 'goood'; did you mean 'good'?" in told

    file.write_text("servers: [", encoding="utf-8")
    async with McpSource().open(kit) as tools:
        assert tools == ()
    assert "mcp.yaml:" in caplog.text


class Hostile(http.server.BaseHTTPRequestHandler):
    """Answers every message badly, as its path says."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        way = self.path.strip("/")
        if way in ("401", "500"):
            self.send_error(int(way))
            return
        if way == "moved":
            self.send_response(307)
            self.send_header("Location", "http://169.254.169.254/latest")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if way == "endless" else "application/json")
        if way == "packed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        try:
            while way == "endless":
                self.wfile.write(b": " + b"x" * 65536 + b"\n")
            self.wfile.write(gzip.compress(b"{}") if way == "packed" else b"<html>")
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("401", "it refuses us (401): look at the headers"),
        ("500", "status 500"),
        ("moved", "169.254.169.254"),
        ("endless", ""),
        ("packed", "packs its answers"),
        ("html", "no message of MCP: is it the right address?"),
    ],
)
async def test_a_hostile_server_elsewhere_is_left_out_with_a_word(way: str, words: str, hand: Hand) -> None:
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        server = Server(
            name="far",
            place="",
            way=Http(url=f"http://127.0.0.1:{web.server_port}/{way}"),
            limits=ServerLimits(result=2**16, connect=timedelta(seconds=5)),
        )
        async with connected(server, hand) as shop:
            assert shop.one.tools == ()
            assert shop.one.why.startswith("MCP server far: ")
            assert words in shop.one.why, shop.one.why
    finally:
        await asyncio.to_thread(web.shutdown)
        web.server_close()
        thread.join()
