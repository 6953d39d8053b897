"""Functions: Python callables that definition files or installed packages make capabilities."""

from collections.abc import Sequence
from pathlib import Path

from ..executor import Executor
from ..told import Told


def executors(paths: Sequence[Path], _: Told) -> tuple[Executor, ...]:
    """Return one executor for each function. Raises ConfigError for a file or package that is wrong."""
    from ..definitions.read import read_definitions
    from ..definitions.schema import FunctionDefinition
    from ..function.entry_points import installed_functions

    defined = read_definitions(paths)
    functions = [one for one in defined if isinstance(one.body, FunctionDefinition)]
    functions += installed_functions({one.name for one in defined})
    if not functions:
        return ()
    from ..function.executor import with_body

    return tuple(map(with_body, functions))
