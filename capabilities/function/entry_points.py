"""Functions that installed packages bring: entry points of the group `picoclaw.functions`."""

from collections.abc import Collection
from importlib import metadata
from pathlib import Path

from ...config.names import GENERAL, ROLE_MARKS, canonical_capability
from ...errors import ConfigError, NameRefused
from ..definitions.read import Definition
from ..definitions.schema import FUNCTION, FunctionDefinition

GROUP = "picoclaw.functions"


def installed_functions(besides: Collection[str]) -> tuple[Definition, ...]:
    """Return a definition for each, but for the names in `besides`: those have definitions of the user's.

    Raises ConfigError, naming the package, for a name that is refused or that two packages have.
    """
    found: dict[str, Definition] = {}
    for entry in metadata.entry_points(group=GROUP):
        package = entry.dist.name if entry.dist is not None else "an installed package"
        place = f"package {package}"
        try:
            name = canonical_capability(entry.name)
        except NameRefused as error:
            raise ConfigError(f"{place} brings a function whose {error}; mend or uninstall it") from None
        value = entry.value.partition("[")[0].strip()
        if name in ROLE_MARKS or name == GENERAL or not FUNCTION.fullmatch(value):
            raise ConfigError(
                f"{place} brings {entry.name} = {entry.value!r}, which no function can be: mend it"
            )
        if name in besides:
            continue
        other = found.get(name)
        if other is not None:
            raise ConfigError(
                f"{place} and {other.place} both bring {name}: uninstall one, or define {name} yourself"
            )
        body = FunctionDefinition(function=value)
        found[name] = Definition(name=name, place=place, folder=Path("/nonexistent"), body=body)
    return tuple(found.values())
