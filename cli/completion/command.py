"""`picoclaw completion bash|zsh|fish`: the script that teaches a shell to complete `picoclaw`."""

import click

from ..printing.output import echo

EPILOG = """\b
Examples:
  eval "$(picoclaw completion bash)"          in ~/.bashrc
  eval "$(picoclaw completion zsh)"           in ~/.zshrc
  picoclaw completion fish > ~/.config/fish/completions/picoclaw.fish

\b
Exit codes: 0 done, 2 wrong usage.
"""
VARIABLE = "_PICOCLAW_COMPLETE"


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script by which a shell completes verbs, flags, ids and names.

    Ids of requests and names of nodes come from the swarm, if it answers within 0.3 seconds. bash
    has to be 4.4 or newer.
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    kinds = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    maker = kinds[shell](click.Group("picoclaw"), {}, "picoclaw", VARIABLE)
    # Not .source(): of bash it would first run whichever bash is here, which need not be the reader's.
    echo(maker.source_template % maker.source_vars())
    return 0
