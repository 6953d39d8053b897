"""Git URLs: which are fetched and which are refused before anything happens."""

import pytest

from picoclaw.capabilities.repository.url import check_url, is_url
from picoclaw.errors import RepositoryError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/group/project.git",
        "http://localhost:3000/x",
        "ssh://git@example.org:2222/x.git",
        "git://127.0.0.1:9418/x",
        "git@example.org:group/project.git",
    ],
)
def test_a_url_of_a_host_is_taken(url: str) -> None:
    assert is_url(url)
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc", "file:// is not fetched"),
        ("ext::sh -c touch% /tmp/x", "not a git URL"),
        ("ext::evil", "helper program"),
        ("ftp://example.org/x", "ftp:// is not fetched"),
        ("--upload-pack=evil", "not a git URL"),
        ("-oProxyCommand=evil:x", "not a git URL"),
        ("ssh://-oProxyCommand=evil/x", "names no host"),
        ("https:///x", "names no host"),
        ("https://example.org/x\n--evil", "not a git URL"),
        ("https://[::1", "not a git URL"),
        ("", "not a git URL"),
    ],
)
def test_what_git_must_not_be_called_with_is_refused(url: str, why: str) -> None:
    with pytest.raises(RepositoryError, match=why):
        check_url(url)


@pytest.mark.parametrize("url", ["https://me:hunter2@example.org/x", "https://token123@example.org/x"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(RepositoryError, match="leave it out") as caught:
        check_url(url)
    assert "hunter2" not in str(caught.value)
    assert "token123" not in str(caught.value)


@pytest.mark.parametrize("path", [".", "..", "/srv/project", "~/project", "project", "./a:b/c", "C"])
def test_a_folder_is_no_url(path: str) -> None:
    assert not is_url(path)
