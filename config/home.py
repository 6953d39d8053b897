"""The user's home."""

from pathlib import Path


def home_folder() -> Path:
    """Return the user's home; `/` for a user without one, as container platforms make them."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")
