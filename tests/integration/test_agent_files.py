"""read, write, edit, glob, grep: what they do, how they say what they do not, and that nothing leads outside."""

import asyncio
import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from picoclaw.capabilities.agent.loop.clean import is_long
from picoclaw.capabilities.agent.tools.edit import Edit
from picoclaw.capabilities.agent.tools.glob import Glob
from picoclaw.capabilities.agent.tools.grep import Grep
from picoclaw.capabilities.agent.tools.inside.confined import PathRefused, located, touched
from picoclaw.capabilities.agent.tools.read import Read
from picoclaw.capabilities.agent.tools.tool import Tool
from picoclaw.capabilities.agent.tools.write import Write
from picoclaw.capabilities.removal import remove
from picoclaw.tests.support.agent_tools import Hand

pytestmark = pytest.mark.integration


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    (tmp_path / "secret.txt").write_text("of the node\n")
    made = Hand(tmp_path)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    yield made
    assert (tmp_path / "secret.txt").read_text() == "of the node\n"
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before + 2
    assert not [name for name in made.files() if name.endswith(".unfinished")]


async def refused(hand: Hand, tool: Tool, **arguments: object) -> str:
    """Use a tool that must refuse, and return what it says."""
    result = await hand.use(tool, **arguments)
    assert result.error, result.text
    assert "of the node" not in result.text
    return result.text


# --- read ---


async def test_a_long_file_is_read_part_by_part_and_none_of_it_is_lost(hand: Hand) -> None:
    lines = [f"{n} {'x' * (n * 37 % 900)}" for n in range(1, 301)]
    hand.write("long.txt", "\n".join(lines))
    found: list[str] = []
    offset = 1
    while True:
        said = (await hand.use(Read(), path="long.txt", offset=offset)).text
        assert not is_long(said), "what the loop would leave out nobody could ask for"
        *part, last = said.split("\n")
        goes_on = re.fullmatch(r"\[it goes on: read it with offset (\d+)\]", last)
        found += [line.partition("\t")[2] for line in (part if goes_on else [*part, last])]
        if goes_on is None:
            break
        offset = int(goes_on[1])
    assert found == lines


async def test_lines_are_read_with_their_numbers(hand: Hand) -> None:
    hand.write("a.txt", "one\ntwo\r\nthree")
    assert (await hand.use(Read(), path="a.txt")).text == "     1\tone\n     2\ttwo\n     3\tthree"
    said = (await hand.use(Read(), path="./a.txt", offset=2, limit=1)).text
    assert said == "     2\ttwo\n[it goes on: read it with offset 3]"
    assert (await hand.use(Read(), path="/workspace/a.txt", limit=1)).text.startswith("     1\tone")
    assert (await hand.use(Read(), path=str(hand.root / "a.txt"), limit=1)).text.startswith("     1\tone")
    hand.write("empty")
    assert (await hand.use(Read(), path="empty")).text == "empty is empty"
    assert "3 lines, none numbered 9" in await refused(hand, Read(), path="a.txt", offset=9)


async def test_what_is_no_text_or_not_there_is_told(hand: Hand) -> None:
    hand.write("logo.png", b"\x89PNG\0\0" + bytes(1000))
    assert "binary file of" in await refused(hand, Read(), path="logo.png")
    hand.write("src/main.py", "x")
    assert await refused(hand, Read(), path="src/mian.py") == "src/mian.py does not exist; near it: main.py"
    assert "there is no folder srcs" in await refused(hand, Read(), path="srcs/main.py")
    assert "list it with glob" in await refused(hand, Read(), path="src")
    assert "a part of it is a file" in await refused(hand, Read(), path="src/main.py/x")
    os.mkfifo(hand.root / "pipe")
    assert "no plain file" in await refused(hand, Read(), path="pipe")


async def test_giant_files_and_lines_are_bounded(hand: Hand) -> None:
    giant = hand.write("giant", b"first\n" + b"x" * 10_000 + b"\nthird\n" + b"y\n" * 5000)
    os.truncate(giant, 2 * 2**40)
    said = (await hand.use(Read(), path="giant", limit=3)).text.splitlines()
    assert said[0] == "     1\tfirst"
    assert said[1].endswith("x… [8,001 bytes more in this line]")
    assert said[2:] == ["     3\tthird", "[it goes on: read it with offset 4]"]
    assert "too far in it" in await refused(hand, Read(), path="giant", offset=100_000)


# --- write ---


async def test_a_file_is_written_whole_and_again_the_same(hand: Hand) -> None:
    assert (await hand.use(Write(), path="new/deep/a.txt", content="é\nb")).text == (
        "made new/deep/a.txt: 2 lines, 4 bytes"
    )
    (hand.root / "new/deep/a.txt").chmod(0o755)
    assert (await hand.use(Write(), path="new/deep/a.txt", content="é\nb")).text.startswith("replaced ")
    assert (hand.root / "new/deep/a.txt").read_text() == "é\nb"
    assert os.access(hand.root / "new/deep/a.txt", os.X_OK)
    assert "name a file" in await refused(hand, Write(), path="new", content="")
    assert "half a character" in await refused(hand, Write(), path="x", content="\ud800")


async def test_a_reader_never_sees_a_part(hand: Hand) -> None:
    contents = {letter * 200_000 for letter in "ab"}
    path = hand.write("a.txt", "a" * 200_000)
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = asyncio.create_task(asyncio.to_thread(read))
    for _ in range(20):
        for content in contents:
            await hand.use(Write(), path="a.txt", content=content)
    stop.set()
    await reader
    assert seen <= contents


# --- edit ---


async def test_one_passage_is_replaced(hand: Hand) -> None:
    hand.write("a.py", "def f():\n    return 1\n\n\ndef g():\n    return 1\n")
    said = await hand.use(Edit(), path="a.py", old="def g():\n    return 1", new="def g():\n    return 2")
    assert said.text == (
        "replaced once in a.py; it now reads\n     2\t    return 1\n     3\t\n     4\t\n     5\tdef g():\n"
        "     6\t    return 2\n     7\t"
    )
    assert "stands 2 times in a.py, at lines 2, 6" in await refused(
        hand, Edit(), path="a.py", old="return ", new="yield "
    )
    await hand.use(Edit(), path="a.py", old="return ", new="yield ", replace_all=True)
    assert (hand.root / "a.py").read_text() == "def f():\n    yield 1\n\n\ndef g():\n    yield 2\n"


async def test_other_ends_of_lines_and_other_encodings_stay(hand: Hand) -> None:
    hand.write("dos.txt", b"one\r\ntwo\r\ncaf\xe9\r\n")
    await hand.use(Edit(), path="dos.txt", old="one\ntwo", new="1\n2")
    assert (hand.root / "dos.txt").read_bytes() == b"1\r\n2\r\ncaf\xe9\r\n"
    await hand.use(Edit(), path="dos.txt", old="2", new="2\n3")
    assert (hand.root / "dos.txt").read_bytes() == b"1\r\n2\r\n3\r\ncaf\xe9\r\n", "its line ends stay alike"


async def test_a_passage_that_is_not_there_is_helped_to(hand: Hand) -> None:
    hand.write("a.py", "class A:\n\tdef method(self, value):\n\t\treturn value\n")
    said = await refused(hand, Edit(), path="a.py", old="    def method(self, value):\n", new="x")
    assert "line 2 is alike but for blanks" in said
    said = await refused(hand, Edit(), path="a.py", old="def methods(self, values):", new="x")
    assert "nearest is\n     2\t\tdef method(self, value):" in said
    assert "read the file" in await refused(hand, Edit(), path="a.py", old="nothing of the kind", new="x")
    assert "nothing to change" in await refused(hand, Edit(), path="a.py", old="A", new="A")


# --- glob ---


async def test_files_are_listed_by_pattern(hand: Hand) -> None:
    for number, name in enumerate(
        ["a.py", "src/b.py", "src/deep/c.py", "src/d.ts", "node_modules/e.py", ".git/f.py", "src/[g].py"]
    ):
        os.utime(hand.write(name), (number, number))

    async def listed(pattern: str, path: str = ".") -> list[str]:
        return (await hand.use(Glob(), pattern=pattern, path=path)).text.splitlines()

    assert await listed("*.py") == ["src/[g].py", "src/deep/c.py", "src/b.py", "a.py"]
    assert await listed("src/*.py") == ["src/[g].py", "src/b.py"]
    assert await listed("src/**/*.{py,ts}") == ["src/[g].py", "src/d.ts", "src/deep/c.py", "src/b.py"]
    assert await listed("**/deep/**") == ["src/deep/c.py"]
    assert await listed("deep/c.py", "src") == ["src/deep/c.py"]
    assert await listed("*.py", "node_modules") == ["node_modules/e.py"]
    assert await listed("[[]g].py") == ["src/[g].py"]
    assert await listed("*.rs") == ["no file fits"]
    assert "leaves the folder" in await refused(hand, Glob(), pattern="../*")
    assert "over 64 patterns" in await refused(hand, Glob(), pattern="{a,b}" * 10)
    assert "over 500 characters" in await refused(hand, Glob(), pattern="*" * 501)


async def test_many_files_and_hostile_patterns_take_no_time(hand: Hand) -> None:
    for number in range(600):
        hand.write(f"many/{'a' * 60}{number}")
    began = time.monotonic()
    said = (await hand.use(Glob(), pattern="**/" * 40 + "*a*a*a*a*a*a*a*a*a*a*a*a*b")).text
    assert said == "no file fits"
    assert time.monotonic() - began < 5
    said = (await hand.use(Glob(), pattern="many/*")).text
    assert said.endswith("[100 more: give a narrower pattern]")


# --- grep ---


async def test_lines_are_found(hand: Hand) -> None:
    hand.write("a.py", "import os\nx = 1\nos.getcwd()\n")
    hand.write("sub/b.txt", "Import this\n")
    hand.write("sub/c.bin", b"import\0")
    hand.write("latin.txt", b"caf\xe9 import\r\n")

    async def found(pattern: str, **how: object) -> list[str]:
        return (await hand.use(Grep(), pattern=pattern, **how)).text.splitlines()

    assert await found("import") == ["a.py:1:import os", "latin.txt:1:caf� import"]
    assert await found("^import", ignore_case=True) == ["a.py:1:import os", "sub/b.txt:1:Import this"]
    assert await found("import", glob="*.py", context=1) == ["a.py:1:import os", "a.py-2-x = 1"]
    assert await found("Import", path="sub") == ["sub/b.txt:1:Import this"]
    assert await found("Import", path="sub/b.txt") == ["sub/b.txt:1:Import this"]
    assert await found("nothing", path="sub") == [
        "no line fits (1 binary or very large files were not searched)"
    ]
    assert "is no regular expression" in await refused(hand, Grep(), pattern="(")
    hand.write("many", "line\n" * 1000)
    assert (await found("line", path="many"))[-1].startswith("[over 200 lines fit")
    hand.write("wide", "w" * 5000)
    assert (await found("w", path="wide"))[0].endswith("w… [4,600 characters more]")


async def test_a_pattern_that_never_ends_is_ended(hand: Hand) -> None:
    hand.write("a.txt", "a" * 60 + "b\n")
    began = time.monotonic()
    said = await refused(hand, Grep(timedelta(seconds=1)), pattern="(a+)+$")
    assert "ended after 1 s" in said
    assert time.monotonic() - began < 5


# --- nothing leads outside ---

WAYS = (
    "../../secret.txt", "link", "up/secret.txt", "there/../../../secret.txt", "absolute", "chain", "circle",
    "/etc/passwd", "there/../there/../../../secret.txt", "a\0b", "\ud800", "x" * 5000, "d/" * 300 + "x",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[:12].encode("ascii", "backslashreplace").decode())
async def test_no_path_leads_out(hand: Hand, way: str) -> None:
    outside = hand.folder / "secret.txt"
    (hand.root / "there").mkdir()
    (hand.root / "link").symlink_to("../../secret.txt")
    (hand.root / "up").symlink_to("../..")
    (hand.root / "absolute").symlink_to(outside)
    (hand.root / "chain").symlink_to("there/on")
    (hand.root / "there" / "on").symlink_to("../link")
    (hand.root / "circle").symlink_to("circle")
    before = sorted(hand.folder.iterdir())
    await refused(hand, Read(), path=way)
    await refused(hand, Write(), path=way, content="overwritten")
    await refused(hand, Edit(), path=way, old="node", new="agent")
    if "\0" not in way and way != "\ud800":
        await refused(hand, Grep(), path=way, pattern="of")
    await refused(hand, Glob(), path=way, pattern="*")
    assert sorted(hand.folder.iterdir()) == before


async def test_links_within_are_followed_and_written_through(hand: Hand) -> None:
    hand.write("real/a.txt", "text")
    (hand.root / "way").symlink_to("real")
    (hand.root / "a").symlink_to("way/a.txt")
    (hand.root / "boxed").symlink_to("/workspace/real/a.txt")
    assert (await hand.use(Read(), path="boxed")).text == "     1\ttext"
    await hand.use(Write(), path="a", content="new")
    assert (hand.root / "real/a.txt").read_text() == "new"
    assert (hand.root / "a").is_symlink()
    assert touched(hand.root, "a") == ("real/a.txt",)
    assert touched(hand.root, "way/../a") == ("real/a.txt",)
    assert touched(hand.root, "../a") == ()


async def test_grep_and_glob_follow_no_link(hand: Hand) -> None:
    (hand.root / "up").symlink_to("../..")
    (hand.root / "link").symlink_to("../../secret.txt")
    assert (await hand.use(Grep(), pattern="of the node")).text.startswith("no line fits")
    assert "secret" not in (await hand.use(Glob(), pattern="**")).text


def test_a_name_that_is_exchanged_for_a_link_meanwhile_leads_nowhere(hand: Hand) -> None:
    hand.write("d/file", "inside")
    os.symlink(hand.folder, hand.root / "bad")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for _ in range(2):
                os.rename(hand.root / "d", hand.root / "t")
                os.rename(hand.root / "bad", hand.root / "d")
                os.rename(hand.root / "t", hand.root / "bad")

    hand.write("d/secret.txt", "inside")
    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        seen: set[bytes] = set()
        for _ in range(2000):
            try:
                with located(hand.root, "d/secret.txt") as spot:
                    descriptor = spot.open(os.O_RDONLY)
                    seen.add(os.read(descriptor, 100))
                    os.close(descriptor)
            except (PathRefused, OSError):
                continue
    finally:
        stop.set()
        thread.join()
    assert seen == {b"inside"}


async def test_deep_folders_take_no_descriptors(hand: Hand) -> None:
    here = hand.root
    folder = os.open(here, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    assert (await hand.use(Glob(), pattern="**/*.py")).text == "no file fits"
    assert (await hand.use(Grep(), pattern="x")).text == "no line fits"
    remove(hand.root / "d")
