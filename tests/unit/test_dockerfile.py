"""The image's recipe: everything of the package gets in, nothing that is secret, and nothing from the net unseen."""

import fnmatch
import re
import shlex
import tomllib

import pytest

from picoclaw.tests.support.deployment import ROOT, check_command, seconds

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

Instruction = tuple[str, str]


def stages() -> list[list[Instruction]]:
    """The instructions of each stage, continued lines joined, comments left out."""
    lines = [
        line
        for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    found: list[list[Instruction]] = []
    for line in joined:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def only(stage: list[Instruction], word: str) -> str:
    (value,) = [rest for name, rest in stage if name == word]
    return value


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: the path itself or a folder above it is named."""
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert not any(pattern.startswith("!") for pattern in patterns)
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    return any(
        fnmatch.fnmatch(one, pattern.removeprefix("**/"))
        or ("**/" in pattern and fnmatch.fnmatch(one, pattern))
        for pattern in patterns
        for one in above
    )


def test_two_stages_of_one_pinned_base_and_only_the_environment_crosses() -> None:
    build, last = stages()

    assert {only(stage, "FROM").partition(" AS ")[0] for stage in (build, last)} == {"python:3.11-slim"}
    assert only(last, "COPY") == "--from=build /opt/picoclaw /opt/picoclaw"


def test_what_is_copied_is_there_and_the_whole_package_with_it() -> None:
    build, _ = stages()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["only-include"], project["project"]["readme"], *project["project"]["license-files"]]

    sources = [source for word, rest in build if word == "COPY" for source in rest.split()[:-1]]
    assert sources == ["pyproject.toml", "requirements.lock", "."]
    for path in ("pyproject.toml", "requirements.lock", *needed):
        assert (ROOT / path).exists(), path
        assert not ignored(path), path


@pytest.mark.parametrize(
    "path",
    [".git/config", ".venv/bin/python", "compose/.env", "compose/tls/server-key.pem", "deep/er/.env", "my.creds",
     "a/secrets.env", "tests/conftest.py", "k8s/base/nats.yaml", "cli/__pycache__/main.cpython-311.pyc"],
)  # fmt: skip
def test_what_must_not_reach_a_build_is_kept_out(path: str) -> None:
    assert ignored(path)


def test_nothing_is_fetched_but_by_its_hash_and_no_index_is_named() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    build, last = stages()

    assert "://" not in text
    assert not any(word == "ADD" for stage in (build, last) for word, _ in stage)
    assert ("ARG", "PIP_INDEX_URL") in build
    assert not any(word == "ARG" for word, _ in last)
    installs = [
        step for word, rest in build if word == "RUN" for step in rest.split("&&") if "pip install" in step
    ]
    assert len(installs) == 4
    for step in installs:
        assert "--require-hashes" in step or "--no-index" in step, step


def test_the_last_stage_has_no_tools_to_build_with() -> None:
    _, last = stages()
    (run,) = [rest for word, rest in last if word == "RUN"]
    (packages,) = re.findall(r"apt-get install --yes --no-install-recommends ([\w. -]+?) *&&", run)

    assert set(packages.split()) == {"ca-certificates", "git", "tini"}
    assert "rm -rf /var/lib/apt/lists/*" in run
    assert "pip" not in run


def test_the_review_extra_is_in_it() -> None:
    build, _ = stages()

    assert any("--extra review" in rest for _, rest in build)


def test_it_runs_as_a_user_with_a_number_and_a_home_of_its_own() -> None:
    _, last = stages()
    uid, _, gid = only(last, "USER").partition(":")
    (run,) = [rest for word, rest in last if word == "RUN"]

    assert int(uid) >= 10_000
    assert f"--uid {uid} --gid {gid}" in run
    assert only(last, "VOLUME") == only(last, "WORKDIR") == "/home/picoclaw"
    environment = dict(pair.split("=", 1) for pair in shlex.split(only(last, "ENV")))
    assert environment["HOME"] == "/home/picoclaw"
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert environment["PATH"].startswith("/opt/picoclaw/bin:")
    # What changes it afterwards would be root's again.
    words = [word for word, _ in last]
    assert "RUN" not in words[words.index("USER") :]


def test_it_is_a_node_by_itself_whose_first_process_passes_sigterm_on() -> None:
    _, last = stages()

    assert only(last, "ENTRYPOINT") == '["tini", "--", "picoclaw"]'
    assert only(last, "CMD") == "[]"
    assert only(last, "STOPSIGNAL") == "SIGTERM"


def test_its_health_check_is_a_real_command_as_compose_has_it() -> None:
    _, last = stages()
    options, _, command = only(last, "HEALTHCHECK").partition(" CMD ")
    argv = [word.strip('"') for word in command.strip("[]").split(", ")]
    check_command(argv)

    compose = (ROOT / "compose" / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"test: [CMD, {', '.join(argv)}]" in compose
    given = dict(re.findall(r"--([a-z-]+)=(\S+)", options))
    for name, value in given.items():
        assert f"    {name.replace('-', '_')}: {value}\n" in compose
        assert name == "retries" or seconds(value) > 0
