"""How the verbs print: tables, JSON, live lines, progress."""
