"""Citations: which tasks a text refers to, and what of it refers to nothing. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass

_CITED = re.compile(
    r"[ \t]?(?:\[`?(?:tasks?|steps?)\s*:\s*([^\]\n]{1,400})\]|\((?:tasks?|steps?)\s*:\s*([^)\n]{1,400})\))",
    re.IGNORECASE,
)
"""A citation as it is asked for, and in the brackets that models take as well."""
_BETWEEN = re.compile(r"\s*[,;]\s*|\s+and\s+", re.IGNORECASE)
_MARK = re.compile(r"(?:tasks?|steps?)\s*:\s*", re.IGNORECASE)
_TASK_ID = re.compile(r"\br-[a-z2-7]{16}\.([a-z0-9][a-z0-9_-]{0,63})")


@dataclass(frozen=True, slots=True)
class Checked:
    """A text whose citations are true."""

    text: str
    cited: tuple[str, ...]
    """Steps, in the order in which they are first cited."""
    struck: tuple[str, ...]
    """What was cited and is no task with a result: these citations are out of the text."""


def check_citations(text: str, request: str, steps: Collection[str]) -> Checked:
    """Return a text in which every citation `[task:STEP]`, and every task id, is of one of the steps."""
    cited: dict[str, None] = {}
    struck: dict[str, None] = {}

    def known(name: str) -> bool:
        step = name.removeprefix(f"{request}.")
        found = step in steps
        (cited if found else struck).setdefault(step if found else name[:100])
        return found

    def citation(match: re.Match[str]) -> str:
        said = _BETWEEN.split(match[1] or match[2])
        names = [_MARK.sub("", name.strip().strip("`*"), count=1).strip(" `*") for name in said]
        cites = match[1] or any(name.removeprefix(f"{request}.") in steps for name in names)
        if not cites and any(" " in name for name in names) and not set("([") & set(match[2]):
            return match[0]  # words in round brackets: `(steps: see the appendix)` is no citation
        kept = [name.removeprefix(f"{request}.") for name in names if name and known(name)]
        space = match[0][0] if match[0][0] in " \t" else ""
        return f"{space}[{', '.join(f'`{name}`' for name in kept)}]" if kept else ""

    def task_id(match: re.Match[str]) -> str:
        return match[0] if known(match[0]) else "(a task that there is not)"

    written = _TASK_ID.sub(task_id, _CITED.sub(citation, text))
    return Checked(written, tuple(cited), tuple(struck))
