"""`picoclaw fake-llm check`."""

import click

from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, safe
from ..request.typed_path import typed_path

EPILOG = """\b
Examples:
  picoclaw fake-llm check talk.yaml
  picoclaw fake-llm check talk.yaml --json

\b
Exit codes: 0 it is right, 2 it is wrong, or no file.
"""


@click.command(epilog=EPILOG, short_help="Whether a script is right.")
@click.argument("file")
@json_flag
def check(file: str, as_json: bool) -> int:
    """Check a script: keys, regular expressions, references.

    \b
    --json: an object with file, ok, error, and rules: name, line, answers, times.
    """
    from ...capabilities.agent.fake_llm.script_file import load_script
    from ...errors import ConfigError

    try:
        script = load_script(typed_path(file))
    except ConfigError as error:
        if not as_json:
            raise
        echo_json({"file": file, "ok": False, "error": str(error), "rules": []})
        return 2
    rules = [
        {"name": rule.name, "line": rule.line, "answers": len(rule.answers), "times": rule.times}
        for rule in script.rules
    ]
    if as_json:
        echo_json({"file": file, "ok": True, "error": None, "rules": rules})
    else:
        names = ", ".join(rule.name for rule in script.rules)
        echo(f"{safe(file)} is right: {len(rules)} rule{'s' * (len(rules) != 1)} ({safe(names)})")
    return 0
