"""`picoclaw fake-llm serve|check`: rehearse with a model server that plays a script."""

import click

from .checking import check
from .serving import serve

EPILOG = """\b
Examples:
  picoclaw fake-llm serve
  picoclaw fake-llm serve --script talk.yaml --port 8099
  picoclaw fake-llm check talk.yaml

\b
Exit codes: 0 done (Ctrl-C too), 1 failed, 2 wrong usage or a wrong script.
"""


@click.group("fake-llm", epilog=EPILOG)
def fake_llm() -> None:
    """Rehearse agents without a model: a server that answers by a script.

    It speaks Anthropic's and OpenAI's protocols, streams and tools included, and breaks where the
    script says so. Nothing leaves this machine, and nothing is paid.
    """


fake_llm.add_command(serve)
fake_llm.add_command(check)
