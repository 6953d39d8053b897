"""The command's root: flags before and after a verb, switches, verbs loaded late, one line per error."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest

from picoclaw.cli.errors import guarded
from picoclaw.cli.flags import connection_flags, load_settings, node_flags, plain_switches
from picoclaw.cli.lazy_group import LazyGroup
from picoclaw.cli.root import picoclaw
from picoclaw.cli.verbs import VERBS, Verb
from picoclaw.config.load import Loaded
from picoclaw.errors import ConfigError, NoServer, NotFound
from picoclaw.tests.support.command import PICOCLAW

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

Run = Callable[..., Loaded]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A group with node flags and one verb with connection flags; returns what either loaded."""
    loaded: list[Loaded] = []

    @click.command()
    @click.argument("what")
    @connection_flags
    @click.pass_context
    def show(ctx: click.Context, what: str) -> None:
        loaded.append(load_settings(ctx))

    module = ModuleType("shelf.show_command")
    module.__dict__["show"] = show
    monkeypatch.setitem(sys.modules, "shelf", ModuleType("shelf"))
    monkeypatch.setitem(sys.modules, "shelf.show_command", module)

    @click.group(
        cls=LazyGroup,
        verbs={"show": Verb("show_command", "show", "Show it.")},
        package="shelf",
        invoke_without_command=True,
    )
    @node_flags
    @click.pass_context
    def root(ctx: click.Context) -> None:
        if ctx.invoked_subcommand is None:
            loaded.append(load_settings(ctx))

    def run(*args: str) -> Loaded:
        root.main(args, prog_name="root", standalone_mode=False)
        return loaded.pop()

    return run


def test_flags_before_and_after_a_verb_are_one(run: Run) -> None:
    loaded = run("--swarm.hid", "a", "show", "it", "--swarm.nats.urls", "nats://h:1")
    assert loaded.settings.swarm.hid == "a"
    assert loaded.settings.swarm.nats.urls == ("nats://h:1",)


def test_what_stands_after_the_verb_wins(run: Run) -> None:
    assert run("--swarm.hid", "a", "show", "it", "--swarm.hid", "b").settings.swarm.hid == "b"


def test_only_flags_that_were_given_count(run: Run) -> None:
    loaded = run("--swarm.role", "worker")
    given = {name for name, origin in loaded.origins.items() if origin.source == "flag"}
    assert given == {"swarm.role", "swarm.enabled"}


@pytest.mark.parametrize("flag", ["--swarm.max_concurrent", "--swarm.max-concurrent"])
def test_underscore_and_dash_are_alike(run: Run, flag: str) -> None:
    assert run(flag, "3").settings.swarm.max_concurrent == 3
    assert run(f"{flag}=4").settings.swarm.max_concurrent == 4


@pytest.mark.parametrize(
    ("args", "embedded"),
    [
        (["--swarm.nats.embedded", "--swarm.role", "worker"], True),
        (["--swarm.nats.embedded", "show", "it"], True),
        (["show", "it", "--swarm.nats.embedded"], True),
        (["--swarm.nats.embedded=true"], True),
        (["--swarm.nats.embedded=false"], False),
        (["--no-swarm.nats.embedded", "show", "it"], False),
        (["--swarm.nats.embedded", "show", "it", "--swarm.nats.embedded=no"], False),
    ],
)
def test_a_switch_needs_no_value_and_takes_one(run: Run, args: list[str], embedded: bool) -> None:
    loaded = run(*args)
    assert loaded.settings.swarm.nats.embedded is embedded
    assert loaded.given("swarm.nats.embedded")


def test_a_list_flag_may_be_repeated(run: Run) -> None:
    loaded = run("--swarm.capabilities", "code,docs", "--swarm.capabilities", "rust")
    assert loaded.settings.swarm.capabilities == ("code", "docs", "rust")


def test_the_guides_way_to_switch_temporal_off(run: Run) -> None:
    loaded = run("--swarm.temporal.address=")
    assert loaded.settings.swarm.temporal.address == ""
    assert loaded.given("swarm.temporal.address")


GUIDE = {
    "--swarm.enabled --swarm.role coordinator --swarm.nats.embedded": ("coordinator", ("general",), True),
    "--swarm.enabled --swarm.role worker --swarm.nats.embedded": ("worker", ("general",), True),
    "--swarm.enabled --swarm.role worker --swarm.capabilities code --swarm.nats.embedded": (
        "worker", ("code",), True,
    ),
    "--swarm.enabled --swarm.role worker --swarm.capabilities code,research --swarm.nats.urls nats://h:4222": (
        "worker", ("code", "research"), False,
    ),
    "--swarm.role coordinator --swarm.capabilities coordination,scheduling": (
        "coordinator", ("coordination", "scheduling"), False,
    ),
    "--swarm.role worker --swarm.capabilities code,research --swarm.max_concurrent 5": (
        "worker", ("code", "research"), False,
    ),
    "--swarm.role specialist --swarm.capabilities testing,qa": ("specialist", ("testing",), False),
    "--swarm.enabled --log.level debug": ("worker", ("general",), False),
    "--swarm.nats.urls tls://localhost:4222": ("worker", ("general",), False),
}  # fmt: skip


@pytest.mark.parametrize(("line", "node"), GUIDE.items(), ids=GUIDE.keys())
def test_the_guides_commands_are_taken_as_typed(run: Run, line: str, node: tuple[object, ...]) -> None:
    swarm = run(*line.split()).settings.swarm
    assert swarm.enabled
    assert (swarm.role, swarm.capabilities, swarm.nats.embedded) == node


def test_config_names_the_file_before_and_after_the_verb(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("swarm: {hid: from-file}", encoding="utf-8")
    assert run("--config", str(path)).settings.swarm.hid == "from-file"
    assert run("show", "it", "--config", str(path)).settings.swarm.hid == "from-file"


def test_a_node_flag_after_a_verb_is_refused(run: Run) -> None:
    with pytest.raises(click.NoSuchOption):
        run("show", "it", "--swarm.role", "worker")


def test_what_follows_a_double_dash_is_left_alone() -> None:
    args = ["--swarm.enabled=no", "--", "--swarm.enabled=no"]
    assert plain_switches(args) == ["--no-swarm.enabled", "--", "--swarm.enabled=no"]


def test_a_switch_with_a_strange_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="perhaps"):
        plain_switches(["--swarm.strict=perhaps"])


def test_help_shows_every_verb_and_imports_none() -> None:
    before = set(sys.modules)
    ctx = click.Context(picoclaw, info_name="picoclaw")
    text = picoclaw.get_help(ctx)
    for name, verb in VERBS.items():
        assert f"  {name} " in text
        assert verb.help[:40] in text
    assert not {f"picoclaw.cli.{verb.module}" for verb in VERBS.values()} & (set(sys.modules) - before)


def test_a_verb_that_is_not_installed_says_so() -> None:
    group = LazyGroup(name="x", verbs={"gone": Verb("gone_command", "gone", "")}, package="picoclaw.cli")
    with pytest.raises(click.UsageError, match="gone is not part of this installation"):
        group.main(["gone"], prog_name="x", standalone_mode=False)


def test_completion_knows_verbs_flags_and_choices() -> None:
    def complete(line: str, at: int) -> str:
        return subprocess.run(
            [str(PICOCLAW)],
            env={
                **os.environ,
                "_PICOCLAW_COMPLETE": "bash_complete",
                "COMP_WORDS": line,
                "COMP_CWORD": str(at),
            },
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        ).stdout

    assert "plain,dispatch" in complete("picoclaw di", 1)
    assert "plain,--swarm.nats.urls" in complete("picoclaw --swarm.nats.u", 1)
    assert complete("picoclaw --swarm.role s", 2) == "plain,specialist\n"


def fail(error: BaseException) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("swarm.role: bad"), 2, "picoclaw: error: swarm.role: bad\n"),
        (NoServer("nobody\nthere"), 3, "picoclaw: error: nobody there\n"),
        (
            ExceptionGroup("tasks", [ExceptionGroup("more", [NotFound("no r-1")])]),
            2,
            "picoclaw: error: no r-1\n",
        ),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (
            click.UsageError("Missing argument 'ID'."),
            2,
            "picoclaw: error: missing argument 'ID'; see `picoclaw --help`\n",
        ),
    ],
)
def test_an_expected_failure_is_one_line_and_its_exit_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(fail(error)) == code
    assert capsys.readouterr() == ("", said)


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0)
    with pytest.raises(ExceptionGroup):
        guarded(fail(ExceptionGroup("tasks", [NotFound("x"), ZeroDivisionError()])))


def test_a_result_that_is_a_number_is_the_exit_code() -> None:
    assert guarded(lambda: 4) == 4
    assert guarded(lambda: None) == 0


def test_a_reader_that_has_gone_is_no_complaint() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [str(PICOCLAW), "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=20, check=False
    )
    os.close(writer)
    assert ran.stderr == ""
    assert ran.returncode == 1
