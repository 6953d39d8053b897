"""What a model said on a code review, of all areas together, and how it reads. Pure."""

from collections.abc import Sequence

from .areas import Part
from .markdown import clean, code, count, inline, prose
from .merge import WHOLE
from .review_data import ModelData, ModelRemark

SHOWN = 20
"""Remarks that Markdown shows; the JSON has all of them."""


def model_data(parts: Sequence[Part]) -> ModelData | None:
    """Return what the models of all areas said; None where none was to read anything."""
    words = [
        (part.area, part.review.model) for part in parts if part.review is not None and part.review.model
    ]
    if not words:
        return None
    return ModelData(
        models=tuple(dict.fromkeys(word.model for _, word in words if word.model)),
        summaries={area: word.summary for area, word in words if word.summary},
        remarks=tuple(
            ModelRemark(area=area, path=one.path, line=one.line, rule=one.rule, why=one.why)
            for area, word in words
            for one in word.explained
        ),
        seen=sum(word.seen for _, word in words),
        dropped=sum(word.dropped for _, word in words),
        not_read={area: word.why_not for area, word in words if word.why_not},
    )


def model_section(data: ModelData | None) -> str:
    """Return the part of the report that is a model's; empty where there is none."""
    if data is None:
        return ""
    parts = ["## What a model says"]
    parts += [f"**{inline(area, 64)}**: {prose(text, 1_200)}" for area, text in data.summaries.items()]
    if data.remarks:
        parts.append(
            "\n".join(
                f"{number}. {place_of(one.path, one.line)} {inline(one.rule, 80)}: {prose(one.why, 600)}"
                for number, one in enumerate(data.remarks[:SHOWN], 1)
            )
        )
    if len(data.remarks) > SHOWN:
        parts.append(f"… and {count(len(data.remarks) - SHOWN, 'more remark')} in the JSON.")
    parts.append(_origin(data))
    return "\n\n".join(parts)


def place_of(path: str, line: int) -> str:
    """Return where something was found: a line, a whole file, or the repository."""
    if path == WHOLE:
        return "the repository"
    shown = clean(path, 300)
    return code(f"{shown}:{line}" if line else shown)


def _origin(data: ModelData) -> str:
    lines = []
    if data.models:
        by = ", ".join(inline(model, 100) for model in data.models)
        own = (
            f"; {count(data.seen, 'finding')} of its own stand in the list, by the tool `model`"
            if data.seen
            else ""
        )
        lines.append(f"By {by}, from the analyzers' findings and the code{own}. Each place was looked up.")
    if data.dropped:
        lines.append(
            f"{count(data.dropped, 'remark')} named a finding, file or line that there is not, or were too many, "
            "and were dropped."
        )
    lines += [
        f"{inline(area, 64)}: not read by a model: {inline(why, 300)}." for area, why in data.not_read.items()
    ]
    return "\n".join(lines)
