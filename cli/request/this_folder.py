"""This folder, where a request names none: whether it goes along."""

import os
from pathlib import Path

from ...config.home import home_folder
from ...errors import UsageError
from ..errors import echo_warning


def goes_along(*, needed: bool) -> bool:
    """Return whether this folder is sent with a request that names no repository; says so where it is not.

    A home folder holds keys and letters and is not meant, unless it is a repository to be reviewed, and an
    empty one has nothing. Raises UsageError where one is `needed`.
    """
    try:
        folder = Path.cwd().resolve()
        home = home_folder().resolve()
        empty = next(os.scandir(folder), None) is None
    except OSError:
        return needed  # whoever reads it says what is wrong
    if not (home == folder or home.is_relative_to(folder)):
        return needed or not empty
    if needed and (folder / ".git").exists():
        return True
    if needed:
        raise UsageError(
            f"{folder} is or holds your home folder: stand in the repository that you mean, or name it with --repo"
        )
    echo_warning(
        f"{folder} is or holds your home folder and is not sent: --repo DIR names what agents are to see"
    )
    return False
