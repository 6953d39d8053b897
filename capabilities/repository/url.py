"""Git URLs: which are taken, and what must not stand in one. Pure."""

import re
from urllib.parse import urlsplit

from ...errors import RepositoryError
from .git import PROTOCOLS

SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//)[^\s:]+")
"""The short form of ssh: `git@host:group/project.git`."""


def is_url(text: str) -> bool:
    """Return whether an argument means a git URL rather than a folder."""
    return "://" in text or (SCP.fullmatch(text) is not None and not text.startswith((".", "/", "~")))


def check_url(url: str) -> str:
    """Return the URL; raises RepositoryError when git must not be called with it.

    Refused are other protocols than https, http, ssh and git, what git would take for an option, and a
    password in the URL: it would stand in the log for everybody to read.
    """
    if any(not c.isprintable() or c.isspace() for c in url) or url.startswith("-"):
        raise RepositoryError(f"{url[:100]!r} is not a git URL: write https://HOST/PATH")
    if "::" in url.partition("/")[0]:
        raise RepositoryError(
            f"{url[:100]} calls a helper program of git, which is not allowed: use https or ssh"
        )
    if "://" not in url:
        if SCP.fullmatch(url):
            return url
        raise RepositoryError(f"{url[:100]} is not a git URL: write https://HOST/PATH or git@HOST:PATH")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise RepositoryError(f"{url[:100]} is not a git URL: write https://HOST/PATH") from None
    if parts.scheme not in PROTOCOLS:
        raise RepositoryError(
            f"{parts.scheme}:// is not fetched ({', '.join(PROTOCOLS)} are): name a folder without it"
        )
    if not host or host.startswith("-"):
        raise RepositoryError(f"{url[:100]} names no host: write https://HOST/PATH")
    if parts.password is not None or (parts.scheme in ("http", "https") and parts.username):
        raise RepositoryError(
            f"the URL of {host} holds a user name or password, which would stand in the log: "
            "leave it out and give the nodes a credential helper or an ssh key"
        )
    return url
