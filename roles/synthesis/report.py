"""Report: what a request ends with."""

from typing import ClassVar

from pydantic import JsonValue

from ...swarm.records import Record


class Report(Record):
    """The joined results of a request, for people and for programs."""

    kind_name: ClassVar[str] = "report"
    markdown: str
    """For people; free of terminal escapes, whatever the results held."""
    data: JsonValue
    """For programs; `data["schema"]` and `data["version"]` say which form it has."""
    partial: bool
    """Something that was asked for is missing; the report names it."""
    summary: str
    """One line."""
    failed: str = ""
    """Why the request failed although tasks of it are done: what a workflow counts as a failure."""
