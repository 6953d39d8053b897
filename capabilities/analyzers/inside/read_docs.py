"""Relative links of Markdown files that lead nowhere: `read_docs.py ORDER.json`, JSON on stdout."""

import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'(][^)]*)?\)")
FENCE = re.compile(r" {0,3}(```|~~~)")
INLINE_CODE = re.compile(r"(`+).*?\1")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//|/|#|\{|\$|<", re.IGNORECASE)
"""How a link begins that does not name a file beside this one: a URL, an anchor, a template's blank."""


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and target of each link outside code."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := FENCE.match(line):
            if not fence:
                fence = found[1]
            elif found[1] == fence:
                fence = ""
            continue
        if not fence and len(line) < 10_000:
            for target in LINK.findall(INLINE_CODE.sub("", line)):
                yield number, target


def leads_nowhere(root: Path, file: str, target: str) -> bool:
    """Return whether a relative link names nothing in the repository; one that leaves it is not judged."""
    if ELSEWHERE.match(target):
        return False
    path = unquote(re.split(r"[#?]", target, maxsplit=1)[0])
    place = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
    if place.startswith("../") or place == ".." or "\0" in place or len(place) > 1_000:
        return False
    return not (root / place).exists()


def main() -> None:
    """Read the files that the order names."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    root = Path(order["root"])
    count = 0
    broken = []
    for file in order["files"]:
        for number, target in links((root / file).read_text(encoding="utf-8", errors="replace")):
            count += 1
            if leads_nowhere(root, file, target):
                broken.append([file, number, target])
    json.dump({"links": count, "broken": broken}, sys.stdout)


if __name__ == "__main__":
    main()
