"""The commented file: every setting with its meaning and its default, all of them switched off."""

from collections.abc import Iterator

from .keys import KEYS, Key
from .manual import EXAMPLES, MEANING, default_of, in_yaml, limits_words
from .profiles import PROFILE

_WIDTH = 100
_HEAD = """\
# Settings of PicoClaw. A line that begins with # and no space is a setting that is switched off: take
# the # away to set it. Flags win over environment variables, those over this file, this file over the
# profile, and the profile over the defaults. ${NAME} and ${NAME:-default} stand for environment variables.
#
#   picoclaw config validate          is it right?
#   picoclaw config show --origin     what holds, and where each value came from
#   picoclaw config schema            a JSON Schema, for editors
"""


def commented_file(profile: str | None = None) -> str:
    """Return the file's text; a profile is the only setting in it that is switched on."""
    return "\n".join([_HEAD, *_section("", profile)]).rstrip("\n") + "\n"


def _section(prefix: str, profile: str | None) -> Iterator[str]:
    """Yield the lines of what stands under a dotted prefix: its settings first, then its sections."""
    indent = "  " * prefix.count(".")
    below: dict[str, None] = {}
    for name, key in KEYS.items():
        if not name.startswith(prefix):
            continue
        first, dot, _ = name.removeprefix(prefix).partition(".")
        if dot:
            below[first] = None
        else:
            yield from _setting(key, first, indent, profile)
    for name in below:
        yield f"{indent}{name}:"
        yield from _section(f"{prefix}{name}.", profile)


def _setting(key: Key, name: str, indent: str, profile: str | None) -> Iterator[str]:
    from textwrap import wrap

    default = default_of(key)
    said = MEANING[key.name].replace("`", "")
    if limits := limits_words(key):
        said += f" ({limits.replace('`', '')})"
    chosen = key.name == PROFILE and profile is not None
    if default is None and not chosen:
        said += " No default; an example:"
    yield from (f"{indent}# {line}" for line in wrap(said, _WIDTH - len(indent)))
    if chosen:
        yield f"{indent}{name}: {profile}"
    else:
        yield f"{indent}#{name}: {in_yaml(EXAMPLES[key.name] if default is None else default)}"
    yield ""
