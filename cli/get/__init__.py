"""The lists of `picoclaw get`, one per file."""
