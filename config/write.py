"""Write a file of settings: for its owner alone, whole or not at all, nothing replaced unasked."""

import os
import stat
import tempfile
from pathlib import Path

from ..errors import ConfigError


def write_private(path: Path, text: str, *, replace: bool = False) -> None:
    """Write the text with rights 0600; folders that are missing are made with 0700.

    `replace` replaces a plain file, or the one that a link leads to. Raises ConfigError when something
    is there already, or when it cannot be written; the file is then as it was.
    """
    try:
        if not replace and os.path.lexists(path):
            raise ConfigError(f"{path} is there already: nothing is written; --force replaces it")
        target = path.resolve()
        _make_folders(target.parent)
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise ConfigError(f"{path} is no plain file: name another one")
        _put(target, text, replace=replace)
    except FileExistsError:
        raise ConfigError(f"{path} is there already: nothing is written; --force replaces it") from None
    except NotADirectoryError:
        raise ConfigError(f"{path} lies under something that is no folder: correct the path") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other, before 3.13
        why = error.strerror if isinstance(error, OSError) else "its links lead to each other"
        raise ConfigError(f"{path} cannot be written ({why}): name another place, or mend this one") from None


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _put(target: Path, text: str, *, replace: bool) -> None:
    # mkstemp gives 0600, whatever the umask.
    number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with open(number, "w", encoding="utf-8") as stream:
            stream.write(text)
        if replace:
            os.replace(name, target)
            return
        os.link(name, target)  # unlike a rename, it fails when somebody made the file meanwhile
    finally:
        Path(name).unlink(missing_ok=True)
