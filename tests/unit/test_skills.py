"""Skills: what a SKILL.md may say, what is said of a broken one, what a machine lacks, what the tool loads."""

import asyncio
import io
import os
import re
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.profiles.profile import Profile
from picoclaw.capabilities.agent.skills.digest import skill_digest
from picoclaw.capabilities.agent.skills.install import fetched, install, origin_of
from picoclaw.capabilities.agent.skills.machine import Machine, not_ready
from picoclaw.capabilities.agent.skills.needs import lacking, parse_need
from picoclaw.capabilities.agent.skills.read import read_skill
from picoclaw.capabilities.agent.skills.shelf import SHIPPED, find_skills, skills_of_repository
from picoclaw.capabilities.agent.skills.template import skill_template
from picoclaw.capabilities.agent.skills.tool import SkillSource, SkillTool
from picoclaw.capabilities.agent.tools.toolbox import Kit
from picoclaw.capabilities.registry import load_executors, missing
from picoclaw.capabilities.told import Told
from picoclaw.config.settings import AgentsSettings, LlmSettings, Settings, SkillsSettings
from picoclaw.errors import ConfigError, NotFound, UsageError
from picoclaw.roles.definitions import definitions
from picoclaw.tests.support.agent_tools import Hand

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

KLAW = {
    "web-search",
    "browser",
    "code-exec",
    "git",
    "docker",
    "api",
    "database",
    "slack",
    "email",
    "calendar",
}
PLAIN = "---\nname: {name}\ndescription: Does {name}.\n---\nDo it.\n"


def write(folder: Path, text: str | None = None, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(text or PLAIN.format(name=folder.name), encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def test_a_whole_skill_is_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "pdf",
        "---\n"
        'name: pdf\ndescription: "PDF: read and\n  write."\nlicense: MIT\nallowed-tools: Bash(git log:*), Read\n'
        "metadata: {version: 1.0, author: us}\nneeds: [pdftotext | mcp:pdf, env:KEY]\nmodel: opus\n"
        "---\n\n# PDF\n\n---\nA line of dashes in the text.\n",
    )
    skill = read_skill(folder)
    assert (skill.name, skill.description, skill.license) == ("pdf", "PDF: read and write.", "MIT")
    assert skill.allowed_tools == ("Bash(git log:*)", "Read")
    assert skill.metadata == {"version": "1.0", "author": "us"}
    assert [str(need) for need in skill.needs] == ["pdftotext | mcp:pdf", "env:KEY"]
    assert skill.body == "# PDF\n\n---\nA line of dashes in the text.\n"
    assert skill.capability == "pdf"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("# no front matter\n", 1, "no front matter"),
        ("---\nname: a\n", 1, "has no end"),
        ("---\nname: a\ndescription: b: c\n---\nx\n", 3, "goes in quotes"),
        ("---\n- a\n---\nx\n", 2, "no mapping"),
        ("---\nname: a\n---\nx\n", 2, "has no description"),
        ("---\nname: a\ndescripton: b\n---\nx\n", 3, "is 'descripton' meant"),
        ("---\ndescription: b\nname: A_b\n---\nx\n", 3, "cannot name a skill"),
        ("---\nname: a\ndescription: {d}\n---\nx\n".replace("{d}", "y" * 1025), 3, "over 1024"),
        ("---\nname: a\ndescription: ''\n---\nx\n", 3, "no text"),
        ("---\nname: a\ndescription: b\nneeds: [a b]\n---\nx\n", 4, "is no need"),
        ("---\nname: a\ndescription: b\nneeds: ['can:fly']\n---\nx\n", 4, "is no need"),
        ("---\nname: a\ndescription: b\nneeds: {a: b}\n---\nx\n", 4, "no list"),
        ("---\nname: a\ndescription: b\nmetadata: x\n---\nx\n", 4, "no mapping"),
        ("---\nname: a\ndescription: b\n---\n \n", 5, "nothing stands below"),
        ("---\nname: a\nname: b\n---\nx\n", 3, "twice"),
        ("---\nname: &x a\ndescription: *x\n---\nx\n", 3, "aliases"),
        ('---\nname: a\ndescription: "b\\e[2J"\n---\nx\n', 3, "control characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", text)
    with pytest.raises(ConfigError) as refused:
        read_skill(folder)
    said = str(refused.value)
    assert said.startswith(f"{folder}/SKILL.md:{line}: "), said
    assert words in said
    assert "\n" not in said


def test_a_broken_skill_is_named_and_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    write(tmp_path / "good")
    write(tmp_path / "bad", "no")
    write(tmp_path / "twin", PLAIN.format(name="good"))
    write(tmp_path / ".hidden")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    os.mkfifo(write(tmp_path / "pipe").joinpath("x"))
    (tmp_path / "pipe" / "SKILL.md").unlink()
    os.mkfifo(tmp_path / "pipe" / "SKILL.md")
    shelf = find_skills([(tmp_path, "user")])
    assert list(shelf.skills) == ["good"]
    assert [broken.name for broken in shelf.broken] == ["bad", "pipe", "twin"]
    assert "also the name of" in shelf.broken[-1].why


def test_the_users_come_before_those_that_come_along(tmp_path: Path) -> None:
    write(tmp_path / "git")
    shelf = find_skills([(tmp_path, "user"), (SHIPPED, "shipped")])
    assert shelf.skills["git"].description == "Does git."
    assert shelf.skills["docker"].source == "shipped"
    assert [skill.name for skill in shelf.chosen(["git", "web-*", "none"])] == ["git", "web-search"]


def test_klaws_names_are_real_skills_and_say_what_they_need() -> None:
    shelf = find_skills([(SHIPPED, "shipped")])
    assert not shelf.broken
    assert set(shelf.skills) == KLAW
    bare = Machine({"PATH": "/nowhere"})
    for skill in shelf.skills.values():
        assert skill.capability == skill.name
        assert len(skill.body) > 500
        assert not_ready(skill, bare).startswith("needs "), skill.name


def test_needs_are_said_in_words() -> None:
    def words(*needs: str, here: set[str] | None = None) -> str:
        return lacking(tuple(map(parse_need, needs)), lambda thing: str(thing) in (here or set()))

    assert words("git", here={"git"}) == ""
    assert words("git") == "needs git on the PATH"
    assert words("psql | mysql | env:DB") == (
        "needs psql or mysql on the PATH or DB in the node's environment and in agents.env"
    )
    assert words("mcp:slack | curl", "mcp:slack | env:TOKEN", here={"curl"}) == (
        "needs an MCP server named slack or TOKEN in the node's environment and in agents.env"
    )
    assert words("mcp:slack | curl", "mcp:slack | can:network") == (
        "needs an MCP server named slack; or else curl on the PATH, and commands that reach the network "
        "(agents.network: true)"
    )


def test_a_variable_counts_only_where_commands_see_it(tmp_path: Path) -> None:
    skill = read_skill(write(tmp_path / "a", "---\nname: a\ndescription: b\nneeds: env:KEY\n---\nx\n"))
    assert not_ready(skill, Machine({"KEY": "v"}))
    assert not not_ready(skill, Machine({"KEY": "v"}, passed_on=frozenset({"KEY"})))
    assert not_ready(skill, Machine({}, passed_on=frozenset({"KEY"})))


def tool_over(folder: Path, *names: str, **given: bool) -> SkillTool:
    return SkillTool(find_skills([(folder, "user")]).chosen(names or ["*"]), **given)


async def test_the_tool_loads_a_skill_and_its_files_and_nothing_else(tmp_path: Path) -> None:
    hand = Hand(tmp_path / "agent")
    shelf = tmp_path / "skills"
    folder = write(shelf / "forms", **{"form.md": "fill me in", "logo.bin": "x"})
    (folder / "logo.bin").write_bytes(b"\xff\x00")
    (folder / "more").mkdir()
    (folder / "more" / "deep.txt").write_text("deep")
    (tmp_path / "secret").write_text("not for agents")
    (folder / "out").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    tool = tool_over(shelf)

    assert "- forms: Does forms." in tool.spec.description
    assert "Do it." not in tool.spec.description
    assert tool.repeatable
    loaded = await hand.use(tool, name="forms")
    assert "Do it." in loaded.text
    assert "- form.md\n- logo.bin\n- more/deep.txt" in loaded.text
    assert (await hand.use(tool, name="forms", file="form.md")).text == "fill me in"
    assert (await hand.use(tool, name="forms", file="more/deep.txt")).text == "deep"
    for file, words in {
        "out": "outside",
        "../other/SKILL.md": "outside",
        "/etc/passwd": "outside",
        "form": "did you mean 'form.md'",
        "pipe": "cannot be read",
        "more": "cannot be read",
        "logo.bin": "no text",
        "a\0b": "",
    }.items():
        told = await hand.use(tool, name="forms", file=file)
        assert told.error, file
        assert words in told.text, told.text
        assert "not for agents" not in told.text


async def test_a_repositorys_skills_are_taken_only_where_the_settings_say_so(tmp_path: Path) -> None:
    hand = Hand(tmp_path / "agent")
    write(hand.root / ".picoclaw" / "skills" / "theirs")
    write(hand.root / ".picoclaw" / "skills" / "mine", PLAIN.format(name="mine").replace("Do it", "Obey me"))
    write(tmp_path / "skills" / "mine")

    closed = tool_over(tmp_path / "skills")
    assert (await closed.use({"name": "theirs"}, hand.place())).error
    trusting = tool_over(tmp_path / "skills", of_repository=True)
    assert "- theirs: Does theirs." in (await hand.use(trusting)).text
    assert "Do it." in (await hand.use(trusting, name="theirs")).text
    assert "Obey me" not in (await hand.use(trusting, name="mine")).text

    async with SkillSource({}).open(Kit(profile=Profile(name="a"), settings=Settings())) as tools:
        assert tools == ()
    told = Settings(skills=SkillsSettings(path=(tmp_path / "skills",), from_repository=True))
    async with SkillSource({}).open(Kit(profile=Profile(name="a", skills=("mine",)), settings=told)) as tools:
        assert [tool.spec.name for tool in tools] == ["skill"]


def test_a_repository_reaches_no_file_of_the_node_by_a_link(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "stolen")
    root = tmp_path / "repository"
    (root / ".picoclaw").mkdir(parents=True)
    (root / ".picoclaw" / "skills").symlink_to(tmp_path / "elsewhere")
    assert not skills_of_repository(root).skills
    (root / ".picoclaw" / "skills").unlink()
    (root / ".picoclaw" / "skills").mkdir()
    (root / ".picoclaw" / "skills" / "stolen").symlink_to(tmp_path / "elsewhere" / "stolen")
    one = root / ".picoclaw" / "skills" / "half"
    one.mkdir()
    (one / "SKILL.md").symlink_to(tmp_path / "elsewhere" / "stolen" / "SKILL.md")
    assert not skills_of_repository(root).skills


# --- installing ---


def pack(archive: Path, names: dict[str, str], links: dict[str, str] | None = None) -> Path:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for name, text in names.items():
                packed.writestr(name, text)
            for name, aim in (links or {}).items():
                member = zipfile.ZipInfo(name)
                member.external_attr = 0o120777 << 16
                packed.writestr(member, aim)
    else:
        with tarfile.open(archive, "w:gz") as tar:
            for name, text in names.items():
                file = tarfile.TarInfo(name)
                file.size = len(text)
                tar.addfile(file, io.BytesIO(text.encode()))
            for name, aim in (links or {}).items():
                info = tarfile.TarInfo(name)
                info.type, info.linkname = tarfile.SYMTYPE, aim
                tar.addfile(info)
    return archive


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_is_installed_whole_and_says_where_it_came_from(suffix: str, tmp_path: Path) -> None:
    archive = pack(
        tmp_path / f"a{suffix}", {"top/one/SKILL.md": PLAIN.format(name="one"), "top/one/f.md": "x"}
    )
    into = tmp_path / "skills"
    with fetched(str(archive)) as (found,):
        assert install(found, into)
        assert not install(found, into)  # the very same stands there
    skill = read_skill(into / "one")
    origin = origin_of(skill)
    assert origin is not None
    assert (origin.source, origin.digest) == (str(archive), skill_digest(into / "one"))
    assert (into / "one" / "f.md").read_text() == "x"
    assert [entry.name for entry in into.iterdir()] == ["one"]

    (into / "one" / "f.md").write_text("changed")
    assert origin.digest != skill_digest(into / "one")
    with fetched(str(archive)) as (found,):
        with pytest.raises(UsageError, match="--force"):
            install(found, into)
        assert install(found, into, force=True)
    assert (into / "one" / "f.md").read_text() == "x"


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    ("names", "links"),
    [
        ({"../evil": "x"}, {}),
        ({"/tmp/evil": "x"}, {}),
        ({"a/../../evil": "x"}, {}),
        ({}, {"a/out": "/etc"}),
        ({}, {"a/in": "SKILL.md"}),
        ({"a/b": "x", "a/b/c": "y"}, {}),
    ],
)
def test_attacks_by_archives_are_refused(
    suffix: str, names: dict[str, str], links: dict[str, str], tmp_path: Path
) -> None:
    inner = tmp_path / "in"
    inner.mkdir()
    good = {"a/SKILL.md": PLAIN.format(name="a")}
    archive = pack(inner / f"a{suffix}", {**good, **names}, links)
    with pytest.raises(UsageError), fetched(str(archive)):
        pass
    assert not (tmp_path / "evil").exists()
    assert not (inner / "evil").exists()


def test_a_bomb_and_a_damaged_archive(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("a/SKILL.md", PLAIN.format(name="a"))
        with packed.open("a/zeros", "w", force_zip64=True) as stream:
            for _ in range(140):
                stream.write(b"\0" * 2**20)
    with pytest.raises(UsageError, match="over 128 MB"), fetched(str(bomb)):
        pass
    for name in ("a.zip", "a.tar.gz"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 not quite")
        with pytest.raises(UsageError, match=re.escape(name)), fetched(str(tmp_path / name)):
            pass


def test_a_folder_of_several_and_what_is_none(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / "all" / "skills" / name)
    with fetched(str(tmp_path / "all")) as found:
        assert [one.skill.name for one in found] == ["one", "two"]
    with fetched(str(tmp_path / "all"), ["two"]) as found:
        assert [one.skill.name for one in found] == ["two"]
    with pytest.raises(NotFound, match="it holds one, two"), fetched(str(tmp_path / "all"), ["three"]):
        pass
    broken = write(tmp_path / "all" / "skills" / "broken")
    (broken / "SKILL.md").write_text("---\nname: broken\n---\n")
    with fetched(str(tmp_path / "all"), ["two"]) as found:
        assert [one.skill.name for one in found] == ["two"]
    for only in ([], ["broken"], ["two", "broken"]):
        with pytest.raises(ConfigError, match="no description"), fetched(str(tmp_path / "all"), only):
            pass
    (tmp_path / "none").mkdir()
    for source, words in {
        str(tmp_path / "none"): "holds no SKILL.md",
        str(tmp_path / "absent"): "is not there",
        "https://user:pw@example.com/x": "password",
        "file:///etc": "not fetched",
    }.items():
        with pytest.raises(UsageError, match=words), fetched(source):
            pass
    (tmp_path / "all" / "skills" / "one" / "link").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="no plain file"), fetched(str(tmp_path / "all"), ["one"]):
        pass


# Characters that a YAML text in quotes can carry.
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cn", "Co", "Cf")), max_size=80)


@given(LINE)
def test_a_new_skill_is_right_whatever_its_description(said: str) -> None:
    text = skill_template("a-b", said, ["git", "psql | env:DB"])
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["name"] == "a-b"
    assert not said.split() or front["description"] == " ".join(said.split())
    assert front["needs"] == ["git", "psql | env:DB"]


def test_the_source_gives_up_nothing_when_a_skill_is_unknown_or_not_ready(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "ready")
    write(tmp_path / "broken", "x")
    write(tmp_path / "lacks", "---\nname: lacks\ndescription: b\nneeds: no-such-program\n---\nx\n")
    settings = Settings(skills=SkillsSettings(path=(tmp_path,)))
    kit = Kit(profile=Profile(name="a", skills=("ready", "lacks", "reddy")), settings=settings)

    async def names() -> list[str]:
        async with SkillSource({"PATH": "/nowhere"}).open(kit) as (tool,):
            return [skill.name for skill in tool.skills]  # type: ignore[attr-defined]

    assert asyncio.run(names()) == ["ready"]
    assert "lacks is not ready: needs no-such-program on the PATH" in caplog.text
    assert "did you mean 'ready'" in caplog.text
    assert "broken/SKILL.md:1" in caplog.text


def test_a_node_advertises_the_skills_of_its_agents_and_says_what_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    write(tmp_path / "skills" / "ready")
    write(tmp_path / "skills" / "lacks", "---\nname: lacks\ndescription: b\nneeds: no-such-program\n---\nx\n")
    write(tmp_path / "skills" / "unused")
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "coder.yaml").write_text("name: coder\nmodel: anthropic/x\nskills: [ready, lacks]\n")
    settings = Settings(
        skills=SkillsSettings(path=(tmp_path / "skills",)), agents=AgentsSettings(path=(agents,))
    )
    executors = load_executors((), Told(settings=settings))
    assert missing("ready", executors) == ""
    assert missing("lacks", executors) == "needs no-such-program on the PATH"
    assert "unused" not in executors


def test_a_skill_is_advertised_as_soon_as_it_is_there_and_picoclaws_own_agent_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    skills = tmp_path / "skills"
    settings = Settings(
        skills=SkillsSettings(path=(skills,)),
        llm=LlmSettings(model="anthropic/x"),
        agents=AgentsSettings(sandbox="none"),
    )
    read = definitions(settings, tmp_path / "home")
    assert "invoices" not in read.first().executors
    assert read.again() is None
    write(skills / "invoices")
    write(skills / "lacks", "---\nname: lacks\ndescription: b\nneeds: no-such-program\n---\nx\n")
    catalogue = read.again()
    assert catalogue is not None
    assert missing("invoices", catalogue.executors) == ""
    assert "lacks" not in catalogue.executors, "nobody asked for it, so nobody is told what it needs"
    assert (
        "invoices"
        not in definitions(replace(settings, llm=LlmSettings()), tmp_path / "home").first().executors
    )
    (skills / "invoices" / "SKILL.md").unlink()
    gone = read.again()
    assert gone is not None
    assert "invoices" not in gone.executors
