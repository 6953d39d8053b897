"""Profiles: read from YAML, written to it and to the registry; whose holds, and what a machine adds to it."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.approvals.decide import decide
from picoclaw.capabilities.agent.approvals.policy import Policy, Rule
from picoclaw.capabilities.agent.budget.limits import Budget
from picoclaw.capabilities.agent.profiles.known import combine, known_profiles
from picoclaw.capabilities.agent.profiles.profile import Profile
from picoclaw.capabilities.agent.profiles.read import read_policy, read_profiles
from picoclaw.capabilities.agent.profiles.registered import from_record, to_record
from picoclaw.capabilities.agent.profiles.written import as_yaml
from picoclaw.capabilities.registry import find_executor, load_executors, offer
from picoclaw.capabilities.told import Told
from picoclaw.config.settings import AgentsSettings, LlmSettings, Settings
from picoclaw.errors import ConfigError
from picoclaw.swarm.agents.record import AgentRecord
from picoclaw.swarm.demand import parse_demand

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

WHOLE = """
name: coder
description: Writes code
model: [anthropic/claude-x, ollama/qwen3]
system_file: coder.md
tools: [bash, "mcp__*"]
skills: git
mcp: [github]
capabilities: [audit]
budget: {usd: 0.5, tokens: 1000, turns: 10, wall: 30m, on_breach: ask}
policy:
  default: ask
  allow: [read, bash: git status*]
  deny: "bash: rm *"
max_tokens: 100
"""


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "coder.md").write_text("You code.")
    file = tmp_path / "coder.yaml"
    file.write_text(WHOLE)
    (profile,) = read_profiles([tmp_path])

    assert profile == Profile(
        name="coder",
        description="Writes code",
        models=("anthropic/claude-x", "ollama/qwen3"),
        system="You code.",
        tools=("bash", "mcp__*"),
        skills=("git",),
        mcp=("github",),
        capabilities=("security",),
        budget=Budget(usd=0.5, tokens=1000, turns=10, wall=timedelta(minutes=30), on_breach="ask"),
        policy=Policy(
            rules=(
                Rule(tool="bash", what="rm *", decision="deny"),
                Rule(tool="read", decision="allow"),
                Rule(tool="bash", what="git status*", decision="allow"),
            ),
            default="ask",
        ),
        max_tokens=100,
        place=f"{file}:2",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nmodle: x/y", "a.yaml:2: a: unknown key 'modle'; did you mean 'model'?"),
        ("name: a\nbudget:\n  usb: 1", "a.yaml:3: a: unknown key 'budget.usb'; did you mean 'usd'?"),
        ("name: a\nbudget: {usd: -1}", "a.yaml:2: a: budget.usd"),
        (
            "name: a\npolicy:\n  deny: [bash: {a: b}]",
            "a.yaml:3: a: policy.deny.0: a rule is TOOL or TOOL: WHAT",
        ),
        (
            "name: a\npolicy:\n  deny: ['bash:curl*']",
            "a.yaml:3: a: policy.deny.0: 'bash:curl*' is no tool: write its name in small letters and a blank",
        ),
        ("name: a\npolicy:\n  deny: ['Bash: curl*']", "a.yaml:3: a: policy.deny.0: 'Bash' is no tool"),
        ("name: a\npolicy:\n  default: maybe", "a.yaml:3: a: policy.default"),
        ("name: a b", "a.yaml:1: agent 'a b' is not a valid name"),
        ("name: a\nmodel: claude", "a.yaml:2: a: model.0"),
        ("name: a\ncapabilities: [general]", "stands for a role or for all"),
        ("name: a\nsystem:", "a.yaml:2: system is empty"),
        ("name: a\nsystem_file: none.md", "a.yaml:2: a: system_file: "),
        ("name: a\nsystem: b\nsystem_file: c", "keep one"),
        ("agents:\n  a: 1", "a.yaml:2: a is not a mapping"),
        ("agents:\n  a: {}\n  b:\n    toolz: []", "a.yaml:4: b: unknown key 'toolz'; did you mean 'tools'?"),
        ("agnets: {}", "unknown key 'agnets'; did you mean 'agents'?"),
        ("model: x/y\ntoolz: []", "a.yaml:2: a: unknown key 'toolz'; did you mean 'tools'?"),
        ("agents: {}\nmodel: x/y", "unknown key 'model': indent it below the agent's name"),
        ("- a", "not a mapping"),
        ("name: [", "not valid YAML"),
        ("name: a\ntools: {b: c}", "a.yaml:2: a: tools: input should be a list"),
        ("name: a\nname: b", "stands there twice"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)

    with pytest.raises(ConfigError) as refused:
        read_profiles([tmp_path])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_names_no_agent_names_it_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "scout.yaml").write_text("description: Looks around\nmodel: x/y\n")
    (scout,) = read_profiles([tmp_path])
    assert (scout.name, scout.models) == ("scout", ("x/y",))


def test_two_files_may_not_define_one_agent(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("name: same")

    with pytest.raises(ConfigError, match=r"b.yaml:1: agent 'same' is defined already in .*a.yaml:1"):
        read_profiles([tmp_path])


WORDS = st.text(alphabet="abcXYZ019_-*: é'\"#[{&!%", min_size=1, max_size=12).map(str.strip).filter(bool)
NAMES = st.lists(WORDS, max_size=3).map(tuple)
RULES = st.builds(
    Rule,
    tool=st.text(alphabet="abc019_-*?[]!", min_size=1, max_size=12) | st.just("mcp__X.y__Do*"),
    what=st.none() | WORDS,
    decision=st.sampled_from(["allow", "ask", "deny"]),
)
PROFILES = st.builds(
    Profile,
    name=st.just("coder"),
    description=st.just("Does things"),
    models=st.sampled_from([(), ("a/b",), ("a/b", "c/d")]),
    system=st.text(alphabet="abc \n:#'\"é-", max_size=40).map(str.strip),
    tools=st.none() | st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    skills=NAMES,
    mcp=NAMES,
    capabilities=st.sampled_from([(), ("code",)]),
    budget=st.builds(
        Budget,
        usd=st.none() | st.floats(0, 1000),
        tokens=st.none() | st.integers(1, 10**9),
        turns=st.none() | st.integers(1, 1000),
        wall=st.none() | st.integers(1, 86400).map(lambda seconds: timedelta(seconds=seconds)),
        on_breach=st.sampled_from(["ask", "wrap_up"]),
    ),
    policy=st.builds(
        lambda rules, default: Policy(
            rules=tuple(sorted(rules, key=lambda rule: ["deny", "ask", "allow"].index(rule.decision))),
            default=default,
        ),
        st.lists(RULES, max_size=4),
        st.sampled_from(["allow", "ask", "deny"]),
    ),
)


@given(PROFILES)
def test_what_is_written_is_read_back_the_same(profile: Profile) -> None:
    from picoclaw.capabilities.agent.profiles.read import profile_of
    from picoclaw.capabilities.agent.profiles.schema import ProfileForm
    from picoclaw.config.document import read_document

    data = read_document(as_yaml(profile)).data
    name = data.pop("name")
    form = ProfileForm.model_validate(data)
    assert profile_of(form, name, system=form.system, place="") == profile
    assert yaml.safe_load(as_yaml(profile))["name"] == "coder"


@given(PROFILES)
def test_the_registry_gives_back_what_it_was_given(profile: Profile) -> None:
    back = from_record(AgentRecord.from_bytes(to_record(profile).to_bytes()))
    assert back == from_record(to_record(profile))
    assert (back.policy, back.budget, back.tools) == (profile.policy, profile.budget, profile.tools)


def test_the_nearest_source_of_an_agent_holds_and_the_nodes_policy_makes_each_only_stricter() -> None:
    own = Profile(name="a", description="mine", policy=Policy(default="allow"), place="f:1")
    registered = [AgentRecord(name="a", description="theirs"), AgentRecord(name="research", description="b")]
    node = Policy(rules=(Rule(tool="bash", what="curl*", decision="deny"),), default="allow")
    found = {profile.name: profile for profile in combine([own], registered, node)}

    assert found["a"].description == "mine"
    assert found["research"].description == "b", "the registry goes before what picoclaw brings"
    assert "assistant" in found
    for profile in found.values():
        assert decide(profile.policy, "bash", {"command": "curl x"}).decision == "deny"
        assert decide(profile.policy, "bash", {"command": "ls"}).decision == "allow"


def test_the_file_of_the_nodes_policy_is_read_and_a_mistake_in_it_keeps_the_node_from_serving(
    tmp_path: Path,
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("deny: [web_fetch]\n")
    assert decide(read_policy(file), "web_fetch", {"url": "x"}).decision == "deny"
    (agent, *_) = known_profiles(Told(home=tmp_path))
    assert decide(agent.policy, "web_fetch", {"url": "x"}).decision == "deny"
    file.write_text("denny: [web_fetch]\n")
    with pytest.raises(ConfigError, match=r"policy.yaml:1: .*unknown key 'denny'; did you mean 'deny'"):
        load_executors((), Told(home=tmp_path))
    file.write_text("")
    with pytest.raises(ConfigError, match="no policy stands there"):
        load_executors((), Told(settings=Settings(agents=AgentsSettings(policy=file))))


def test_who_serves_an_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "own.yaml").write_text("name: own\ncapabilities: [code, poems]")
    settings = Settings(llm=LlmSettings(model="anthropic/claude-x"))
    theirs = AgentRecord(name="theirs", capabilities=("docs",))
    executors = load_executors((), Told(settings=settings, home=tmp_path, registered=(theirs,)))

    general, _ = offer(("general",), "worker", "n", {}, executors)
    docs, _ = offer(("docs",), "specialist", "n", {}, executors)
    other, _ = offer(("security",), "worker", "n", {}, executors)
    marks, _ = offer(("coordination",), "coordinator", "n", {}, executors)
    assert general.agents == {"assistant", "own", "research", "theirs", "writing"}
    assert {"general", "poems", "research", "writing"} <= general.capabilities
    assert docs.agents == {"own", "theirs"}
    assert other.agents == {"own"}
    assert marks.agents == frozenset()
    found = find_executor(parse_demand("agent:own"), executors)
    assert found is executors["agent:own"] is executors["poems"]
    assert executors["code"] is not found, "the analyzers keep what they serve"
    assert find_executor(parse_demand("agent:nobody"), executors) is None


def test_without_a_model_or_key_it_is_said_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "own.yaml").write_text("name: own")
    _, none = offer(("research",), "worker", "n", {}, load_executors((), Told(home=tmp_path)))
    settings = Settings(llm=LlmSettings(model="anthropic/claude-x"))
    _, keyless = offer(("research",), "worker", "n", {}, load_executors((), Told(settings=settings)))
    told = Told(settings=settings, refused=(("anthropic/claude-x", "the key in X is refused"),))
    _, refused = offer(("research",), "worker", "n", {}, load_executors((), told))

    assert none["research"].startswith("needs a model: set llm.model")
    assert none["agent:own"] == none["research"]
    assert "ANTHROPIC_API_KEY" in keyless["research"]
    assert refused["research"] == "the key in X is refused"
