"""Templates: what the shipped one holds, which requests it serves, and what a bad file is told."""

import pytest

from picoclaw.errors import PlanError
from picoclaw.roles.planning.match import asks_for, clauses
from picoclaw.roles.planning.template import (
    Template,
    asks_for_template,
    find_template,
    read_template,
    shipped_templates,
)
from picoclaw.roles.synthesis.join import JOINS
from picoclaw.roles.synthesis.naming import NAMES
from picoclaw.swarm.records import RepositoryRef, Request

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

REPOSITORY = RepositoryRef(label="demo")


def request(
    text: str, *, repository: RepositoryRef | None = REPOSITORY, template: str | None = None
) -> Request:
    return Request(id="r-1", key_digest="0", text=text, repository=repository, template=template)


def review() -> Template:
    (template,) = [t for t in shipped_templates() if t.name == "code-review"]
    return template


def test_the_shipped_review_has_four_tasks_that_are_skipped_when_nobody_serves_them() -> None:
    template = review()
    assert [(task.step, task.demand) for task in template.tasks] == [
        ("code", "code"),
        ("security", "security"),
        ("docs", "docs"),
        ("testing", "testing"),
    ]
    assert template.defaults.unroutable == "skip"
    assert 0 < template.defaults.grace_s <= 10
    assert all(task.timeout_s for task in template.tasks)
    assert template.join == "code-review"
    assert all(template.join in JOINS for template in shipped_templates())
    assert set(JOINS) == NAMES


@pytest.mark.parametrize(
    "text",
    [
        "Review this repository",
        "review",
        "Please review this repository.",
        "Could you review our code?",
        "REVIEW THIS REPO!",
        "Audit the code for security problems",
        "Security audit, please",
        "I want you to do a full security review",
        "Give me a quick code review of the swarm folder",
        "Run a static analysis",
        "Check the code, the docs and the tests",
        "Analyse this project",
        "Analyze this project and tell me what is wrong",
        "Hello, please have a look at the code",
        "Have a quick look at this",
        "Here is my project.\nInspect it for bugs",
        "Find bugs in the parser",
    ],
)
def test_a_request_that_asks_for_a_review_matches(text: str) -> None:
    assert find_template(request(text), shipped_templates()) == review()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Write a parser",
        "Fix the failing check",
        "Do not review this repository",
        "Don't review it",
        "Address the review comments",
        "The review page is broken",
        "Why does the check fail?",
        "Check out the develop branch",
        "Review this repository and fix all bugs",
        "Review it, then refactor the queue",
        "Summarise the audit log",
        "preview the docs",
        "reviewer",
        "Test the code",
    ],
)
def test_a_request_for_anything_else_or_for_more_than_a_review_does_not_match(text: str) -> None:
    assert find_template(request(text), shipped_templates()) is None


def test_a_review_without_a_repository_does_not_match() -> None:
    assert find_template(request("Review this", repository=None), shipped_templates()) is None
    assert asks_for_template("Review this", review())


def test_a_template_is_found_by_name_whatever_the_words() -> None:
    assert find_template(request("go", template="code-review"), shipped_templates()) == review()


def test_an_unknown_template_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        PlanError, match=r"'code-reveiw'; did you mean 'code-review'\? \(templates: code-review\)"
    ):
        find_template(request("go", template="code-reveiw"), shipped_templates())


def test_a_named_template_that_needs_a_repository_says_how_to_bring_one() -> None:
    with pytest.raises(PlanError, match=r"needs a repository.*--repo"):
        find_template(request("go", repository=None, template="code-review"), shipped_templates())


def test_the_first_template_that_matches_wins_so_a_users_own_can_stand_before_ours() -> None:
    own = read_template("name: mine\nmatch: {asks: [review]}\ntasks: [{step: a, demand: code}]", "mine.yaml")
    assert find_template(request("Review this"), [own, *shipped_templates()]) == own


def test_a_template_without_phrases_is_found_by_name_only() -> None:
    own = read_template("name: mine\ntasks: [{step: a, demand: code}]", "mine.yaml")
    assert find_template(request("Review this"), [own]) is None
    assert find_template(request("Review this", template="mine"), [own]) == own


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\ntasks: [{step: a, demand: code}]\njion: plain",
            r"unknown key jion; did you mean 'join'\?",
        ),
        (
            "name: a\ntasks: [{step: a, demnad: code}]",
            r"unknown key tasks\.0\.demnad; did you mean 'demand'\?",
        ),
        (
            "name: a\nmatch: {unles: [x]}\ntasks: [{step: a, demand: c}]",
            r"unknown key match\.unles; did you mean 'unless'\?",
        ),
        ("name: a\ntasks: [{step: a}]", r"key tasks\.0\.demand is missing"),
        ("name: a\ntasks: []", "key tasks: "),
        ("name: A b\ntasks: [{step: a, demand: code}]", "key name: "),
        ("name: a\ntasks: [{step: a, demand: code, unroutable: perhaps}]", r"key tasks\.0\.unroutable: "),
        ("- a\n- b", "is not a mapping"),
        ("name: [", "is not valid YAML: line "),
        ("name: !!python/object:os.system {}", "is not valid YAML"),
        ("", "is not a mapping"),
    ],
)
def test_a_bad_template_is_told_the_key_and_the_nearest_one_in_one_line(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        read_template(text, "mine.yaml")
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_clauses_end_at_marks_and_joining_words_but_not_inside_names() -> None:
    assert clauses("Review main.py, then stop.\nThanks!") == [
        ("review", "main", "py"),
        ("stop",),
        ("thanks",),
    ]


def test_a_phrase_of_two_words_matches_whole() -> None:
    assert asks_for("please look at this", ["look at"], [], ["please"])
    assert not asks_for("please look away", ["look at"], [], ["please"])


def test_a_request_of_ten_megabytes_is_read_only_in_part() -> None:
    assert not asks_for_template("blah " * 2_000_000 + ". Review this", review())
