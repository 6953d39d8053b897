"""The web, as agents may look into it."""
