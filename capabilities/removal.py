"""Removal: a folder with all that is in it, however deep, and whatever its folders allow."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


def remove(folder: Path) -> bool:
    """Remove a folder, read-only ones in it included; blocking. Return whether it is gone; never raises.

    `shutil.rmtree` calls itself for each level, and the path of a very deep folder is longer than the
    system takes: here each folder is drawn up to the top before it is emptied.
    """
    if folder.is_symlink() or not folder.is_dir():
        with suppress(OSError):
            folder.unlink()
        return not os.path.lexists(folder)
    top, mark, drawn = str(folder), f".{secrets.token_hex(4)}.", 0
    waiting = [top]
    for place in waiting:
        # Another job may be removing it too.
        with suppress(OSError):
            os.chmod(place, stat.S_IRWXU)
        for inner, is_folder in _entries(place):
            with suppress(OSError):
                if not is_folder:
                    os.unlink(inner)
                elif place == top:
                    waiting.append(inner)
                else:
                    # Its own leave to write is needed too, as it gets another parent.
                    os.chmod(inner, stat.S_IRWXU)
                    drawn += 1
                    up = os.path.join(top, f"{mark}{drawn}")
                    os.rename(inner, up)
                    waiting.append(up)
        if place != top:
            with suppress(OSError):
                os.rmdir(place)
    with suppress(OSError):
        os.rmdir(top)
    return not os.path.lexists(folder)


def _entries(place: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(place) as entries:
            return [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return []
