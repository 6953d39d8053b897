"""Help of the verbs that send a request: their many options stand under headings, each once."""

import re

import click
import pytest

from picoclaw.cli.cron.create import create
from picoclaw.cli.dispatch_command import dispatch
from picoclaw.cli.grouped import HEADINGS
from picoclaw.cli.run_command import run
from picoclaw.cli.workflows.running import run_workflow

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "verb", [dispatch, run, run_workflow, create], ids=lambda verb: verb.callback.__name__
)
def test_each_option_stands_once_under_a_heading(verb: click.Command) -> None:
    help = verb.get_help(click.Context(verb, info_name="verb", terminal_width=80))

    headings = re.findall(r"^(\S.*):$", help, re.MULTILINE)
    assert headings == ["Options", *(heading for heading in HEADINGS if heading in headings)]
    assert {"Priority and limits", "When an attempt fails", "Connection"} <= set(headings)
    listed = help.partition("\nOptions:\n")[2]
    rows = re.findall(r"^  (?:-\w, )?(--[\w.-]+)", listed, re.MULTILINE)
    visible = [param for param in verb.params if isinstance(param, click.Option) and not param.hidden]
    assert len(rows) == len(set(rows)) == len(visible) + 1  # and --help
    assert "TEXT]" not in listed


def test_each_name_under_a_heading_is_an_option() -> None:
    known = {param.name for param in dispatch.params}
    assert {name for names in HEADINGS.values() for name in names} - known <= {"config"}
