"""What is typed at the coordinator's prompt: words about the node, requests, and what is neither."""

import pytest

from picoclaw.cli.node.typed import Typed, Words, help_text, read_typed
from picoclaw.errors import UsageError
from picoclaw.roles.planning.asked_for import near_ask
from picoclaw.roles.planning.template import shipped_templates

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

TEMPLATES = shipped_templates()


@pytest.mark.parametrize(
    ("line", "does"),
    [("help", "help"), ("?", "help"), ("status", "status"), ("get nodes", "status"), ("Exit", "quit"), ("quit", "quit")],
)  # fmt: skip
def test_words_about_the_node_are_no_requests(line: str, does: str) -> None:
    assert read_typed(line, TEMPLATES).does == does


def test_a_request_goes_out_as_words_by_name_or_for_a_capability() -> None:
    asked = "Review this repository"
    assert read_typed(f" {asked}\n", TEMPLATES) == Typed(does="send", text=asked)
    assert read_typed("code-review", TEMPLATES).template == "code-review"
    for line in (
        "-c docs Check the docs",
        'dispatch "Check the docs" -c docs',
        "dispatch Check the docs --capability docs",
    ):
        assert read_typed(line, TEMPLATES) == Typed(does="send", text="Check the docs", demand="docs")


def test_a_line_may_name_the_repository() -> None:
    assert read_typed("-c docs --repo ~/x Check the docs", TEMPLATES).repo == "~/x"


@pytest.mark.parametrize("line", ["hello", "-c docs", "dispatch", "Reveiw this repository", "don't -c"])
def test_what_nothing_serves_is_answered_in_two_lines(line: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_typed(line, TEMPLATES)
    assert str(refused.value).count("\n") == 1
    assert ("did you mean 'Review this repository'" in str(refused.value)) == line.startswith("Rev")


def test_with_a_model_any_words_are_a_request() -> None:
    words = Words(taken="planned by a model")
    assert read_typed("Tell me a joke", TEMPLATES, words) == Typed(does="send", text="Tell me a joke")
    assert read_typed("--repo . Mend it", TEMPLATES, words) == Typed(does="send", text="Mend it", repo=".")
    assert "anything else" in help_text(TEMPLATES, words)
    assert "anything else" not in help_text(TEMPLATES)


def test_a_model_that_cannot_be_asked_says_why() -> None:
    with pytest.raises(UsageError, match="other words need a model, and model x needs a key"):
        read_typed("Tell me a joke", TEMPLATES, Words(why_not="model x needs a key"))


def test_an_agent_is_asked_by_name() -> None:
    asked = read_typed("--agent coder --repo . Mend the test", TEMPLATES)
    assert asked == Typed(does="send", text="Mend the test", demand="agent:coder", repo=".")
    with pytest.raises(UsageError, match="write -c CAPABILITY or --agent NAME"):
        read_typed("--agent coder -c docs Mend it", TEMPLATES)


def test_help_names_the_workflows() -> None:
    assert all(template.name in help_text(TEMPLATES) for template in TEMPLATES)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Reveiw this repository", "Review this repository"),
        ("please anlyse it", "Analyse it"),
        ("lok at this folder", "Look at this folder"),
        ("hello", None),
        ("Write me a poem", None),
        ("", None),
    ],
)
def test_the_ask_that_was_meant_is_found(typed: str, meant: str | None) -> None:
    assert near_ask(typed, TEMPLATES) == meant
