"""Handed back: what an agent gets of the report on work that it handed on. Pure.

A report is made for people: it says everything twice, as text and as data. Of one task the agent gets what that
task returned, with the type that it returned; of several the text. What any of them stored comes along.
"""

from pydantic import JsonValue, ValidationError

from ...swarm.records import ArtifactRef, Result

OURS = "picoclaw."
"""How the forms of reports are called whose text says all that their data does."""


def brought_by(report: Result) -> Result:
    """Return the result of a handed-on request; a report in another form than ours stays as it is."""
    whole = report.data
    if not isinstance(whole, dict) or not isinstance(whole.get("markdown"), str):
        return report
    data = whole.get("data")
    tasks = _tasks(data)
    artifacts = tuple(ref for task in tasks for ref in _artifacts(task.get("artifacts")))
    own: dict[str, object] = {"artifacts": (*report.artifacts, *artifacts), "log": None}
    if len(tasks) == 1 and isinstance(tasks[0].get("summary"), str) and "data" in tasks[0]:
        own |= {"summary": tasks[0]["summary"], "data": tasks[0]["data"]}
    else:
        ours = isinstance(data, dict) and str(data.get("schema", "")).startswith(OURS)
        own |= {"summary": whole["markdown"], "data": None if ours else data}
    return report.model_copy(update=own)


def _tasks(data: JsonValue) -> list[dict[str, JsonValue]]:
    listed = data.get("tasks") if isinstance(data, dict) else None
    return [task for task in listed if isinstance(task, dict)] if isinstance(listed, list) else []


def _artifacts(listed: JsonValue) -> list[ArtifactRef]:
    found = []
    for one in listed if isinstance(listed, list) else []:
        try:
            found.append(ArtifactRef.model_validate(one))
        except ValidationError:
            continue  # of a later version: its report still says it
    return found
