"""What a report means for an exit code: `picoclaw run --fail-on high`."""

from pydantic import JsonValue

from ...capabilities.findings import SEVERITIES, Severity
from .review_data import SCHEMA


def worst(report_data: JsonValue) -> Severity | None:
    """Return the worst severity among the findings of a code review's JSON.

    None when it has no findings, or is the report of something else than a code review. Looks at
    the findings that were carried; a reviewer drops the least severe ones first.
    """
    if not isinstance(report_data, dict) or report_data.get("schema") != SCHEMA:
        return None
    findings = report_data.get("findings")
    seen = {
        finding.get("severity")
        for finding in (findings if isinstance(findings, list) else [])
        if isinstance(finding, dict)
    }
    return next((severity for severity in SEVERITIES if severity in seen), None)


def fails(report_data: JsonValue, fail_on: Severity) -> bool:
    """Return whether the report holds a finding of severity `fail_on` or worse.

    A part that was not reviewed has no findings and does not fail: ask `Report.partial` for that.
    """
    found = worst(report_data)
    return found is not None and SEVERITIES.index(found) <= SEVERITIES.index(fail_on)
