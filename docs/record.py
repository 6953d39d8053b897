"""Record a real terminal run as a picture: `python docs/record.py docs/images/run.svg COMMAND …`."""

import os
import pty
import re
import struct
import sys
import termios
from fcntl import ioctl
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 104
HEIGHT = 62
"""Lines that are shown: the first ones, since what scrolled away is what a reader sees first."""

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_PATHS = re.compile(re.escape(str(Path.home())))


def record(argv: list[str]) -> str:
    """Return what a program wrote to a terminal of its own, colours included."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    written = bytearray()
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the child has closed its side
            break
        if not chunk:
            break
        written += chunk
    os.waitpid(child, 0)
    return written.decode("utf-8", "replace").replace("\r\n", "\n")


def picture(argv: list[str], written: str) -> str:
    """Return an SVG of the command and the first lines of what it wrote."""
    lines = _PATHS.sub("~", written).splitlines()
    if len(lines) > HEIGHT:
        lines = [*lines[:HEIGHT], f"… and {len(lines) - HEIGHT} lines more"]
    shown = " ".join(f'"{word}"' if " " in word else word for word in (Path(argv[0]).name, *argv[1:]))
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text(f"$ {shown}", style="bold"))
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop")
    # Without the fonts that a reader's browser would fetch from elsewhere.
    return _FONTS.sub("", console.export_svg(title=shown, theme=MONOKAI))


def main() -> None:
    """Record the command of the command line into the file that it names first."""
    target, *argv = sys.argv[1:]
    Path(target).write_text(picture(argv, record(argv)), encoding="utf-8")


if __name__ == "__main__":
    main()
