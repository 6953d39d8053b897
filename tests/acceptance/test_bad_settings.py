"""Every bad setting ends in one clear line and exit 2; nothing is started and nothing is written."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

SECRET = "hunter2hunter2"


@dataclass(frozen=True)
class Bad:
    """A bad setting: how it is given, and what the one line must say."""

    says: tuple[str, ...]
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    yaml: str | bytes | None = None


def flag(*args: str, says: tuple[str, ...]) -> Bad:
    return Bad(args=args, says=says)


def env(says: tuple[str, ...], **env: str) -> Bad:
    return Bad(env=env, says=says)


def yaml(text: str | bytes, *says: str) -> Bad:
    return Bad(yaml=text, says=says)


BAD = {
    # Names that do not exist.
    "unknown flag": flag("--swarm.rol", "worker", says=("unknown flag --swarm.rol", "--swarm.role")),
    "unknown flag after a good one": flag(
        "--swarm.role", "worker", "--swarm.max_concurent", "2", says=("--swarm.max_concurrent?",)
    ),
    "unknown flag with dashes": flag("--swarm.max-concurent", "2", says=("--swarm.max-concurrent?",)),
    "flag with one dash": flag("-swarm.role", "worker", says=("two dashes", "--swarm.role")),
    "flag without its value": flag("--swarm.role", says=("--swarm.role", "requires an argument")),
    "switch with a value beside it": flag("--swarm.enabled", "false", says=("--swarm.enabled=false",)),
    "switch that is neither yes nor no": flag(
        "--swarm.nats.embedded=perhaps", says=("flag --swarm.nats.embedded", "'perhaps'", "true or false")
    ),
    "unknown verb": flag("gte", says=("unknown verb 'gte'", "'get'")),
    "dashboard flag without the dashboard": flag("--once", says=("--once", "--swarm.dashboard")),
    "unknown key in YAML": yaml("swarm:\n  max_concurent: 2\n", "config.yaml:2", "'swarm.max_concurrent'"),
    "unknown section in YAML": yaml("swarn:\n  role: worker\n", "'swarn'", "config.yaml:1", "'swarm'"),
    "key at the wrong level in YAML": yaml(
        "swarm:\n  heartbeat_interval: 5s\n", "config.yaml:2", "'swarm.nats.heartbeat_interval'"
    ),
    "key that stands twice in YAML": yaml("swarm:\n  hid: a\n  hid: b\n", "swarm.hid", "twice", "line 3"),
    # Roles.
    "role that does not exist, by flag": flag(
        "--swarm.role", "worke", says=("swarm.role", "flag --swarm.role", "'worke'", "'worker'")
    ),
    "role that does not exist, by environment": env(
        ("swarm.role", "environment PICOCLAW_SWARM_ROLE", "'boss'", "coordinator, worker, specialist"),
        PICOCLAW_SWARM_ROLE="boss",
    ),
    "role that does not exist, in YAML": yaml("swarm:\n  role: boss\n", "swarm.role", "config.yaml:2"),
    "log level that does not exist": flag("--log.level", "debgu", says=("log.level", "'debug'")),
    # Numbers.
    "max_concurrent of zero": flag("--swarm.max_concurrent", "0", says=("swarm.max_concurrent", "from 1")),
    "max_concurrent below zero": flag("--swarm.max_concurrent=-3", says=("-3 is out of range",)),
    "max_concurrent that is no number": flag("--swarm.max_concurrent", "five", says=("'five'", "number")),
    "max_concurrent with a fraction": yaml("swarm:\n  max_concurrent: 2.5\n", "'2.5'", "config.yaml:2"),
    "max_concurrent beyond all measure": env(
        ("PICOCLAW_SWARM_MAX_CONCURRENT", "from 1 to 10000"), PICOCLAW_SWARM_MAX_CONCURRENT="9" * 5000
    ),
    "max_concurrent as a list": yaml("swarm:\n  max_concurrent: [1]\n", "swarm.max_concurrent", "list"),
    "pending bytes under two megabytes": flag("--swarm.nats.pending_bytes_limit", "10", says=("from 2097152",)),
    "two replicas": flag("--swarm.nats.replicas", "2", says=("swarm.nats.replicas", "1, 3 or 5")),
    # Durations.
    "duration that is none": flag(
        "--swarm.nats.heartbeat_interval", "soon", says=("swarm.nats.heartbeat_interval", "'soon'", "10s")
    ),
    "duration without a unit": yaml(
        "swarm:\n  nats:\n    node_timeout: 60\n", "swarm.nats.node_timeout", "config.yaml:3", "60s"
    ),
    "duration in the wrong order": flag("--swarm.nats.node_timeout", "30s1m", says=("'30s1m'",)),
    "duration below zero": flag("--swarm.nats.node_timeout=-10s", says=("'-10s'",)),
    "heartbeat interval of zero": flag("--swarm.nats.heartbeat_interval", "0s", says=("at least 10ms",)),
    "duration of a thousand years": flag("--swarm.nats.node_timeout", "9999999h", says=("365 days",)),
    "node timeout under twice the heartbeat": flag(
        "--swarm.nats.heartbeat_interval", "10s", "--swarm.nats.node_timeout", "15s",
        says=("swarm.nats.node_timeout (flag --swarm.nats.node_timeout)", "15s", "20s"),
    ),
    "heartbeat over half of the default node timeout": env(
        ("swarm.nats.node_timeout (default)", "PICOCLAW_SWARM_NATS_HEARTBEAT_INTERVAL", "1m20s"),
        PICOCLAW_SWARM_NATS_HEARTBEAT_INTERVAL="40s",
    ),
    # Capabilities, labels and names.
    "capability with dots": flag("--swarm.capabilities", "code.review", says=("'code.review'", "a-z")),
    "capability with a space": env(("'code review'",), PICOCLAW_SWARM_CAPABILITIES="code review"),
    "capability with a wildcard": yaml("swarm:\n  capabilities: ['co*']\n", "'co*'", "config.yaml:2"),
    "capability with a line break": env(("'co\\nde'",), PICOCLAW_SWARM_CAPABILITIES="co\nde"),
    "capability that is too long": flag("--swarm.capabilities", "x" * 49, says=("48",)),
    "no capability": flag("--swarm.capabilities", "", says=("swarm.capabilities", "empty")),
    "surplus comma in the capabilities": flag("--swarm.capabilities", "code,,docs", says=("comma",)),
    "nested capabilities in YAML": yaml("swarm:\n  capabilities: [[a]]\n", "swarm.capabilities", "nested"),
    "label without a value": flag("--swarm.labels", "gpu", says=("swarm.labels", "'gpu'", "KEY=VALUE")),
    "label with a separator": yaml("swarm:\n  labels: {'a@b': c}\n", "swarm.labels", "'@'"),
    "one label with two values": flag("--swarm.labels", "a=1,a=2", says=("'a'", "two values")),
    "H-id with a line break": env(("swarm.hid", "control character"), PICOCLAW_SWARM_HID="a\nb"),
    "node name of nothing but spaces": flag("--swarm.name", "  ", says=("swarm.name", "empty")),
    "node name that is too long": flag("--swarm.name", "n" * 129, says=("swarm.name", "128")),
    # Addresses.
    "address that is empty": flag("--swarm.nats.urls", "", says=("swarm.nats.urls", "empty")),
    "address without a scheme": flag("--swarm.nats.urls", "host:4222", says=("nats://host:4222",)),
    "address with another scheme": env(
        ("PICOCLAW_SWARM_NATS_URLS", "'http://host:4222'", "nats, tls, ws, wss"),
        PICOCLAW_SWARM_NATS_URLS="http://host:4222",
    ),
    "address with a port that is none": flag("--swarm.nats.urls", "nats://host:99999", says=("HOST:PORT",)),
    "address without a host": flag("--swarm.nats.urls", "nats://:4222", says=("host",)),
    "address with a password and a bad port": flag(
        "--swarm.nats.urls", f"nats://me:{SECRET}@host:x", says=("***@host:x",)
    ),
    "websocket and plain addresses": flag(
        "--swarm.nats.urls", "nats://a:4222,ws://b:80", says=("swarm.nats.urls", "do not mix")
    ),
    # Credentials and TLS.
    "credentials file that is not there": flag(
        "--swarm.nats.credentials", "/nowhere/nats.creds",
        says=("swarm.nats.credentials (flag --swarm.nats.credentials)", "not there"),
    ),
    "credentials file that is not there, in YAML": yaml(
        "swarm:\n  nats:\n    credentials: ./nats.creds\n", "swarm.nats.credentials", "config.yaml:3"
    ),
    "credentials that are a folder": flag("--swarm.nats.credentials", "/", says=("folder",)),
    "credentials and token together": flag(
        "--swarm.nats.credentials", f"me:{SECRET}", "--swarm.nats.token", SECRET,
        says=("swarm.nats.credentials", "swarm.nats.token", "contradict"),
    ),
    "empty token": flag("--swarm.nats.token", "", says=("swarm.nats.token", "empty")),
    "token with a line break": env(
        ("PICOCLAW_SWARM_NATS_TOKEN", "line break"), PICOCLAW_SWARM_NATS_TOKEN=f"{SECRET}\nx"
    ),
    "token as a list": yaml(f"swarm:\n  nats:\n    token: [{SECRET}]\n", "swarm.nats.token", "list"),
    "TLS authorities that are not there": flag(
        "--swarm.nats.tls.ca", "/nowhere/ca.pem", says=("swarm.nats.tls.ca", "/nowhere/ca.pem", "not there")
    ),
    "TLS certificate without its key": flag(
        "--swarm.nats.tls.cert", "/etc/passwd", says=("swarm.nats.tls.cert", "needs swarm.nats.tls.key")
    ),
    "TLS key without its certificate": flag(
        "--swarm.nats.tls.key", "/etc/passwd", says=("swarm.nats.tls.key", "needs swarm.nats.tls.cert")
    ),
    "embedded server and another's address": flag(
        "--swarm.nats.embedded", "--swarm.nats.urls", "nats://far.example:4222",
        says=("swarm.nats.embedded", "swarm.nats.urls", "contradict"),
    ),
    "embedded server and a token": env(
        ("swarm.nats.embedded", "swarm.nats.token", "contradict"),
        PICOCLAW_SWARM_NATS_EMBEDDED="true",
        PICOCLAW_SWARM_NATS_TOKEN=SECRET,
    ),
    "embedded server and three replicas": yaml(
        "swarm: {nats: {embedded: true, replicas: 3}}\n", "swarm.nats.replicas", "contradict"
    ),
    # The file itself.
    "file that is not there": flag("--config", "nowhere.yaml", says=("nowhere.yaml", "not there")),
    "file that is a folder": flag("--config", ".", says=("is a folder",)),
    "file that is not YAML": yaml("swarm: [\n", "config.yaml", "not valid YAML"),
    "file that is a list": yaml("- swarm\n", "config.yaml", "not a mapping"),
    "file that is a word": yaml("swarm", "config.yaml", "not a mapping"),
    "file of two documents": yaml("swarm: {}\n---\nswarm: {}\n", "config.yaml:2", "single document"),
    "file that is binary": yaml(b"\x7fELF\x00\xff\xfe", "config.yaml", "UTF-8"),
    "file with a control character": yaml("swarm: \x01\n", "config.yaml", "not valid YAML"),
    "file over a mebibyte": yaml("# " + "x" * 1_048_576, "config.yaml", "over 1 MiB"),
    "file nested without end": yaml("[" * 500_000, "config.yaml", "nested too deep"),
    "file with a section that is a word": yaml("swarm:\n  nats: here\n", "swarm.nats", "not a mapping"),
    "file with a tag": yaml("swarm:\n  hid: !!python/name:os.system x\n", "swarm.hid", "tag"),
    "file with a variable that is not set": yaml(
        "swarm:\n  nats:\n    token: ${NO_SUCH_TOKEN}\n", "swarm.nats.token", "config.yaml:3", "${NO_SUCH_TOKEN}"
    ),
    "file with a broken variable": yaml("swarm:\n  hid: ${1X}\n", "swarm.hid", "${NAME}"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_is_refused(bad: Bad, run_picoclaw: RunPicoclaw, home: Path) -> None:
    if bad.yaml is not None:
        path = home / ".picoclaw" / "config.yaml"
        path.parent.mkdir()
        path.write_bytes(bad.yaml if isinstance(bad.yaml, bytes) else bad.yaml.encode())
    before = sorted(home.rglob("*"))
    enabled = {} if "PICOCLAW_SWARM_ENABLED" in bad.env else {"PICOCLAW_SWARM_ENABLED": "true"}

    ran = run_picoclaw(*bad.args, env={**enabled, **bad.env}, timeout=15)

    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("picoclaw: error: ")
    assert len(line) < 400
    for part in bad.says:
        assert part in line
    assert SECRET not in line
    assert sorted(home.rglob("*")) == before


def test_the_same_bad_setting_stops_a_dashboard(run_picoclaw: RunPicoclaw, home: Path) -> None:
    ran = run_picoclaw("--swarm.dashboard", "--once", "--swarm.nats.urls", "http://host", timeout=15)

    assert ran.returncode == 2
    assert "swarm.nats.urls (flag --swarm.nats.urls)" in ran.stderr


def test_bare_picoclaw_starts_nothing_and_shows_the_next_steps(run_picoclaw: RunPicoclaw, home: Path) -> None:
    before = sorted(home.rglob("*"))

    ran = run_picoclaw(timeout=15)

    assert ran.returncode == 0
    assert "Nothing was started" in ran.stdout
    assert 'picoclaw run "Review this repository"' in ran.stdout
    assert ran.stderr == ""
    assert sorted(home.rglob("*")) == before


def test_an_unknown_environment_name_only_warns(run_picoclaw: RunPicoclaw) -> None:
    names = {"PICOCLAW_SWARM_ROEL": SECRET, "PICOCLAW_PORT_4222_TCP_ADDR": "10.0.0.1"}

    ran = run_picoclaw(env=names, timeout=15)

    assert ran.returncode == 0
    first, second = sorted(ran.stderr.splitlines())
    assert first.startswith("picoclaw: warning: environment PICOCLAW_PORT_4222_TCP_ADDR")
    assert "PICOCLAW_SWARM_ROLE" in second
    assert SECRET not in ran.stderr


def test_swarm_enabled_false_keeps_a_node_from_starting(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("--swarm.role", "worker", "--swarm.enabled=false", timeout=15)

    assert ran.returncode == 0
    assert "Nothing was started" in ran.stdout
