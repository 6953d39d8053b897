"""Commands: programs and scripts that the user's definition files make capabilities."""

from collections.abc import Sequence
from pathlib import Path

from ..executor import Executor
from ..told import Told


def executors(paths: Sequence[Path], _: Told) -> tuple[Executor, ...]:
    """Return one executor for each command in the files. Raises ConfigError for a file that is wrong."""
    from ..definitions.read import read_definitions
    from ..definitions.schema import CommandDefinition

    commands = [one for one in read_definitions(paths) if isinstance(one.body, CommandDefinition)]
    if not commands:
        return ()
    from ..command.executor import with_body

    return tuple(map(with_body, commands))
