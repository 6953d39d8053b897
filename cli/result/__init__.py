"""`picoclaw result`, and what a result can be written to: SARIF, reports, artifacts."""
