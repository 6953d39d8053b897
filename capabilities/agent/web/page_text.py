"""The text of a page: HTML as headings, paragraphs, lists and links; blocking, so it is done in a process of its own."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select"})
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt",
        "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
        "hr", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "thead", "tr",
        "ul",
    }
)  # fmt: skip
_HEADING = re.compile(r"h[1-6]")
_INDENT = re.compile(r"^ ", re.MULTILINE)
_KEPT = "\0"
_BLANK = re.compile(r"[ \t\r\n\f\v]+")


def page_text(html: str, url: str) -> tuple[str, str]:
    """Return a page's title and its text."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    return reader.read()


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._url = url
        self._title: list[str] = []
        self._in_title = False
        self._silent = 0
        self._plain = 0
        """How many `pre` it is within, whose blanks count."""
        self._parts: list[str] = []
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag == "title":
            self._in_title = True
        elif tag == "br":
            self._parts.append("\n")
        elif tag in _BLOCKS:
            self._parts.append("\n\n" if tag != "li" and tag != "tr" else "\n")
            if _HEADING.fullmatch(tag):
                self._parts.append("#" * int(tag[1]) + " ")
            elif tag == "li":
                self._parts.append("- ")
            elif tag == "pre":
                self._plain += 1
        elif tag in ("td", "th"):
            self._parts.append(" | ")
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self._parts)))
        elif tag == "img" and (text := dict(attrs).get("alt")):
            self._parts.append(f"[{_BLANK.sub(' ', text)}]")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "title":
            self._in_title = False
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in _BLOCKS:
            if tag == "pre":
                self._plain = max(0, self._plain - 1)
            self._parts.append("\n" if tag in ("li", "tr") else "\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._title.append(data)
        elif not self._silent:
            # The first blank of a line is marked, as others than these are taken away in the end.
            self._parts.append(_INDENT.sub(_KEPT, data) if self._plain else _BLANK.sub(" ", data))

    def _end_link(self, href: str, begun: int) -> None:
        try:
            aim = urljoin(self._url, href.strip())
        except ValueError:
            return
        if aim.startswith(("http://", "https://")) and href and not href.startswith("#"):
            text = "".join(self._parts[begun:]).strip()
            if text and text != aim:
                self._parts.append(f" ({aim})")

    def read(self) -> tuple[str, str]:
        """Return the title and the text."""
        lines: list[str] = []
        for line in "".join(self._parts).split("\n"):
            line = line.rstrip().removeprefix(" ").removeprefix("| ")
            if line or (lines and lines[-1]):
                lines.append(line)
        text = "\n".join(lines).strip().replace(_KEPT, " ")
        return _BLANK.sub(" ", "".join(self._title)).strip(), text
