"""What a table of results shows: columns by the way to their value, totals, and when it means failure."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

OF_TASK = frozenset(
    {"step", "title", "demand", "state", "reason", "node", "attempts", "seconds", "summary"}
)  # fmt: skip
"""What a column can show of the task itself; `data` and `row` go on into its result."""
ROOTS = OF_TASK | {"data", "row"}


class TableOptions(BaseModel):
    """The join `table`: a row for each task, or for each entry of a list in its result."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    # `as` is a word of Python.
    kind: Annotated[Literal["table"], Field(alias="as")] = "table"
    title: str = ""
    """The report's heading; else the request's text."""
    columns: dict[str, str] = Field(
        default_factory=lambda: {"task": "title", "node": "node", "result": "summary"}
    )
    """Heading to way: `title`, `node`, `summary` …, `data.NAME…` in the task's result, `row.NAME…`."""
    steps: tuple[str, ...] = ()
    """The steps whose tasks have rows; empty: all."""
    rows: str | None = None
    """The way to a list in each result (`data.files`): a row for each entry, which is `row`."""
    totals: tuple[str, ...] = ()
    """Columns that a last row adds up."""
    fail_on: tuple[str, ...] = ()
    """Columns of numbers that must add up to 0, else the request ends failed: `failed`, `errors`."""
