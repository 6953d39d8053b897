"""Formats of lists: a table, a wider one, JSON or names, from one description of the columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import click

from ...errors import UsageError
from .output import echo, echo_json, echo_table

Format = Literal["table", "wide", "json", "name"]
Row = TypeVar("Row")
F = TypeVar("F", bound=Callable[..., Any])

json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def format_flags(command: F) -> F:
    """Declare `-o` and `--json` on a command; `read_format` makes one of the two."""
    output = click.option(
        "-o",
        "--output",
        "output",
        type=click.Choice(["table", "wide", "json", "name"]),
        help="How to print it. [default: table]",
    )
    return output(click.option("--json", "as_json", is_flag=True, help="As -o json.")(command))


def read_format(output: Format | None, as_json: bool) -> Format:
    """Return the one format that is meant; raises UsageError for two."""
    if as_json and output not in (None, "json"):
        raise UsageError(f"--json and -o {output} do not go together: give one")
    return "json" if as_json else output or "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Row]):
    """How one kind of row is printed."""

    columns: Sequence[tuple[str, Callable[[Row], str]]]
    """Header and cell; the last one may be long."""
    wide: Sequence[tuple[str, Callable[[Row], str]]]
    """All columns of `-o wide`."""
    name: Callable[[Row], str]
    form: Callable[[Row], dict[str, Any]]
    """The stable JSON form."""
    empty: str

    def show(self, rows: Sequence[Row], output: Format) -> None:
        """Print rows."""
        if output == "json":
            echo_json([self.form(row) for row in rows])
        elif output == "name":
            if rows:
                echo("\n".join(self.name(row) for row in rows))
        else:
            columns = self.wide if output == "wide" else self.columns
            echo_table(
                [header for header, _ in columns],
                ([cell(row) for _, cell in columns] for row in rows),
                empty=self.empty,
            )
