"""Every `picoclaw` line of README and docs is one that the command takes: verbs, options, values."""

import re
import shlex
from pathlib import Path

import click
import pytest

from picoclaw.cli.flags import plain_switches
from picoclaw.cli.root import picoclaw
from picoclaw.tests.support.docs import DOCS, ROOT, blocks

pytestmark = pytest.mark.unit

DOCUMENTS = sorted({ROOT / "README.md", *DOCS.glob("*.md"), *(ROOT / "examples").glob("*/README.md")})
COMMAND = re.compile(
    r"(?:^|[|&;(]\s*|\$\(\s*|=\"?\$\()\s*(?:[A-Z_]+=\S+\s+)*picoclaw(?P<rest>(?:\s[^|&;<>)#]*)?)"
)


def commands(file: Path) -> list[tuple[int, list[str]]]:
    """The line and the arguments of each picoclaw command in the shell blocks of a document."""
    found = []
    for block in blocks(file.read_text(encoding="utf-8")):
        if block.language not in ("bash", "sh", "console"):
            continue
        text = re.sub(r"\\\n\s*", " ", block.text)
        for line in text.splitlines():
            # In quotes nothing separates commands.
            bare = re.sub(r'"[^"]*"|\'[^\']*\'', lambda quoted: quoted[0].translate(HIDDEN), line)
            for match in COMMAND.finditer(bare):
                rest = line[match.start("rest") : match.end("rest")]
                found.append((block.line, shlex.split(rest, comments=True)))
    return found


HIDDEN = {ord(mark): "_" for mark in "|&;<>()#"}


def check(group: click.Command, args: list[str], parent: click.Context | None = None) -> None:
    """Parse as the command would, without doing anything. Raises click's usage errors."""
    with group.make_context(group.name or "picoclaw", list(args), parent=parent) as ctx:
        rest = [*ctx._protected_args, *ctx.args] if isinstance(group, click.Group) else []
        if isinstance(group, click.Group) and rest:
            _, command, left = group.resolve_command(ctx, rest)
            assert command is not None
            check(command, left, ctx)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_command_of_a_document_is_one(file: Path) -> None:
    wrong = []
    for line, args in commands(file):
        try:
            check(picoclaw, plain_switches(args))
        except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
            pass  # --help, --version and a group alone
        except click.ClickException as error:
            wrong.append(f"{file.name}:{line}: picoclaw {shlex.join(args)}: {error.format_message()}")
    assert wrong == []


def test_the_documents_hold_commands_at_all() -> None:
    assert sum(len(commands(file)) for file in DOCUMENTS) > 60


def test_every_link_between_the_documents_leads_somewhere() -> None:
    dead = []
    for file in DOCUMENTS:
        text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        here = [target for target in targets if "://" not in target]
        dead += [f"{file.name}: {target}" for target in here if not (file.parent / target).exists()]
    assert dead == []
