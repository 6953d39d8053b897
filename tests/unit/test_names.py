"""Names: what may be called what, and how any name travels on the wire."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picoclaw.config.names import (
    ALIASES,
    CAPABILITY,
    MAX_NAME,
    PARENTS,
    canonical_capability,
    check_label,
    check_name,
    check_step,
    expand_capabilities,
)
from picoclaw.errors import NameRefused
from picoclaw.swarm.subjects import REQUEST_ID, Names, request_id, split_log_subject, task_id, token

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]

anything = st.text(max_size=200)
TOKEN = re.compile(r"[a-z0-9-]{1,35}")
STREAM = re.compile(r"[A-Za-z0-9_-]+")


# --- what may be called what ---


@given(anything)
def test_a_capability_is_canonical_once_and_for_all_or_refused(text: str) -> None:
    try:
        name = canonical_capability(text)
    except NameRefused:
        return
    assert CAPABILITY.fullmatch(name)
    assert canonical_capability(name) == name


@pytest.mark.parametrize(("alias", "name"), sorted(ALIASES.items()))
def test_aliases_lead_to_a_name_not_to_another_alias(alias: str, name: str) -> None:
    assert canonical_capability(alias.upper()) == name
    assert name not in ALIASES
    assert CAPABILITY.fullmatch(name)


def test_the_hierarchy_is_one_step_high() -> None:
    assert not set(PARENTS) & set(PARENTS.values())
    assert expand_capabilities(frozenset({"python", "docs"})) == {"python", "docs", "code"}
    assert expand_capabilities(frozenset()) == frozenset()


@pytest.mark.parametrize("bad", ["", "code review", "a.b", "a*", ">", "a\nb", "ä", "-a", "_a", "x" * 49])
def test_a_capability_with_dots_spaces_wildcards_or_line_breaks_is_refused(bad: str) -> None:
    with pytest.raises(NameRefused, match="is not a valid name") as refused:
        canonical_capability(bad)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "good", ["my box", "a.b.c", "a@b", "*", ">", "中文", "ä" * MAX_NAME, "🦀", "..", "$SYS"]
)
def test_dots_spaces_wildcards_and_any_alphabet_are_fine_in_an_hid_or_node_name(good: str) -> None:
    assert check_name(f" {good} ", "H-id") == good


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("", "H-id is empty: give it at least one character"),
        ("   ", "H-id is empty"),
        ("x" * (MAX_NAME + 1), "H-id has 129 characters: shorten it to 128 at most"),
        ("a\nb", "holds a control character or a line break: leave it out"),
        ("a\x00b", "control character"),
        ("a\x7fb", "control character"),
        ("a\tb", "control character"),
        ("a\ud800b", "control character"),
    ],
)
def test_empty_over_long_and_control_characters_are_refused_in_words(bad: str, says: str) -> None:
    with pytest.raises(NameRefused, match=says) as refused:
        check_name(bad, "H-id")
    assert "\n" not in str(refused.value)


@given(anything)
def test_a_name_is_kept_or_refused_but_never_changed_inside(text: str) -> None:
    try:
        name = check_name(text, "node name")
    except NameRefused:
        return
    assert name == text.strip(" ")
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in name)


@pytest.mark.parametrize("bad", ["", "_", "A", "a.b", "a b", "-", "a" * 65, "ä", "a\n"])
def test_a_step_that_no_subject_can_carry_is_refused(bad: str) -> None:
    with pytest.raises(NameRefused, match="is not a valid name"):
        check_step(bad)


def test_a_step_never_has_the_requests_own_place() -> None:
    with pytest.raises(NameRefused):
        check_step("_")
    assert check_step("step-1_b") == "step-1_b"


@pytest.mark.parametrize(("name", "value"), [("a@b", "c"), ("a", "b=c"), ("a+", "b"), ("a", "b,c")])
def test_a_label_with_the_marks_that_separate_labels_is_refused(name: str, value: str) -> None:
    with pytest.raises(NameRefused, match="which separate: rename it"):
        check_label(name, value)


# --- on the wire ---


@given(st.text(max_size=200))
def test_every_name_has_a_token_that_any_subject_stream_or_bucket_can_carry(name: str) -> None:
    assert TOKEN.fullmatch(token(name))


@given(anything, anything)
def test_two_names_never_share_a_token(one: str, other: str) -> None:
    assert (token(one) == token(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [("a.b", "a-b"), ("A", "a"), ("a ", "a"), ("", " "), ("x" * 40, "x" * 41)]
)
def test_names_that_look_alike_keep_apart(one: str, other: str) -> None:
    assert token(one) != token(other)


def test_a_token_can_be_read_by_people() -> None:
    assert token("My Laptop (home)").startswith("my-laptop-home-")
    assert re.fullmatch(r"[0-9a-f]{10}", token("中文"))


@given(anything)
def test_a_request_is_named_after_its_senders_key(key: str) -> None:
    identity, digest = request_id(key)
    assert REQUEST_ID.fullmatch(identity)
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert request_id(key) == (identity, digest)


@given(anything)
def test_every_subject_and_stream_of_an_hid_is_one_that_nats_takes(hid: str) -> None:
    names = Names(hid)
    request, step, lane = "r-abcdefghijklmnop", "step_1", token("code")
    subjects = [
        names.task(lane, 1, request, step), names.delay(request, step), names.inbox(2, request),
        names.log_of(request), names.log_of(request, step), names.event(request, step), names.member(hid),
        names.probe(hid), names.control(hid), names.dead_letter(request, step),
    ]  # fmt: skip
    for subject in subjects:
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in subject.split(".")), subject
    for stream in (names.tasks, names.requests, names.log, names.events, names.members, names.dead_letters):
        assert STREAM.fullmatch(stream)
    for bucket in (names.leases, names.lanes, names.artifacts):
        assert STREAM.fullmatch(bucket)
    assert len(set(subjects)) == len(subjects)


@given(anything, anything)
def test_two_hids_of_one_account_share_no_stream_and_no_subject(one: str, other: str) -> None:
    left, right = Names(one), Names(other)
    if one != other:
        assert left.log != right.log
        assert left.log_of("r-aaaaaaaaaaaaaaaa") != right.log_of("r-aaaaaaaaaaaaaaaa")


def test_a_subject_tells_its_request_and_step() -> None:
    names = Names("home")
    assert split_log_subject(names.log_of("r-abcdefghijklmnop", "docs")) == ("r-abcdefghijklmnop", "docs")
    assert split_log_subject(names.log_of("r-abcdefghijklmnop")) == ("r-abcdefghijklmnop", "_")
    assert split_log_subject(names.task("code-1", 3, "r-abcdefghijklmnop", "docs"))[1] == "docs"
    assert task_id("r-abcdefghijklmnop", "docs") == "r-abcdefghijklmnop.docs"
