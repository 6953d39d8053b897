"""web_fetch and web_search, against a server of the test's own: text, limits, and no way to what is not public."""

import ssl
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from picoclaw.capabilities.agent.approvals.policy import Policy, Rule
from picoclaw.capabilities.agent.loop.clean import is_long
from picoclaw.capabilities.agent.profiles.profile import Profile
from picoclaw.capabilities.agent.tools import web_search as web_search_module
from picoclaw.capabilities.agent.tools.toolbox import Kit
from picoclaw.capabilities.agent.tools.web_fetch import WebFetch
from picoclaw.capabilities.agent.tools.web_search import WebSearch
from picoclaw.capabilities.agent.web.fetching import FetchFailed, anywhere, fetch
from picoclaw.capabilities.agent.web.page_text import page_text
from picoclaw.config.settings import Settings, WebSettings
from picoclaw.tests.support.agent_tools import Hand
from picoclaw.tests.support.pages import HANG, packed, page, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]

HTML = """<!doctype html><html><head><title>A &amp; B</title><style>p {color: red}</style></head>
<body><script>alert("no")</script><h1>Heading</h1><p>One   paragraph
with a <a href="/next?a=1">link</a>.</p><ul><li>first</li><li>second</li></ul>
<pre>  kept
    as is</pre><table><tr><td>a</td><td>b</td></tr></table></body></html>"""
TEXT = """A & B

# Heading

One paragraph with a link (http://{host}/next?a=1).

- first

- second

  kept
    as is

a | b"""


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def loopback(address: str) -> bool:
    """Allow one address, as if it were the only public one."""
    return address == "127.0.0.1"


async def test_a_page_comes_back_as_text(hand: Hand) -> None:
    answers = {
        "/": page(HTML),
        "/plain": page("caf\xe9".encode("latin-1"), content_type="text/plain; charset=latin-1"),
        "/json": page('{"a": 1}', content_type="application/json"),
        "/image": page(b"\x89PNG\0", content_type="image/png"),
        "/unpacks": page("text", content_type="text/plain; charset=zlib_codec"),
        "/packed": packed(b"packed"),
    }
    async with served(answers) as pages:
        tool = WebFetch(loopback)
        text = (await hand.use(tool, url=pages.url("/"))).text
        assert text == TEXT.replace("{host}", f"127.0.0.1:{pages.port}")
        assert (await hand.use(tool, url=pages.url("/plain"))).text == "café"
        assert (await hand.use(tool, url=pages.url("/json"))).text == '{"a": 1}'
        assert (await hand.use(tool, url=pages.url("/unpacks"))).text == "text"
        assert (await hand.use(tool, url=pages.url("/packed"))).text == "packed"
        refused = await hand.use(tool, url=pages.url("/image"))
        assert (refused.error, "is no text but image/png" in refused.text) == (True, True)
        missing = await hand.use(tool, url=pages.url("/missing"))
        assert (missing.error, missing.text) == (True, "nothing here\n[the server answered 404]")
        assert f"Host: 127.0.0.1:{pages.port}" in pages.asked[0]


async def test_size_and_time_are_bounded(hand: Hand) -> None:
    answers = {"/bomb": packed(bytes(50_000_000)), "/hang": HANG, "/long": page("x" * 100_000)}
    async with served(answers) as pages:
        fetched = await fetch(pages.url("/bomb"), allow=loopback, largest=1_000_000)
        assert (len(fetched.body), fetched.cut) == (1_000_000, True)
        fetched = await fetch(pages.url("/long"), allow=loopback, largest=5000)
        assert (len(fetched.body), fetched.cut) == (5000, True)
        began = time.monotonic()
        with pytest.raises(FetchFailed, match="did not answer in 0 s"):
            await fetch(pages.url("/hang"), allow=loopback, timeout=timedelta(seconds=0.3))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ],
)
async def test_where_clouds_hand_out_keys_is_not_asked_though_private_pages_are(hand: Hand, url: str) -> None:
    result = await hand.use(WebFetch(anywhere), url=url)
    assert result.error
    assert "hand out a machine's keys" in result.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://127.1:{port}/", "http://0:{port}/",
        "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/",
        "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://①27.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)  # fmt: skip
async def test_what_is_not_public_is_not_asked(hand: Hand, url: str) -> None:
    async with served({"/": page("of this machine")}) as pages:
        result = await hand.use(WebFetch(), url=url.format(port=pages.port))
        assert result.error
        assert "of this machine" not in result.text
        assert pages.asked == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "give an address http:// or https://"),
        ("http://user:pass@example.org/", "holds a user name or password"),
        ("http:///nothing", "names no host"),
        ("no address", "give an address"),
        ("http://nowhere.invalid/", "is not found"),
        ("http://exa mple/", ""),
    ],
)
async def test_what_is_no_address_is_told(hand: Hand, url: str, words: str) -> None:
    result = await hand.use(WebFetch(), url=url)
    assert result.error
    assert words in result.text
    assert "Traceback" not in result.text


async def test_what_leads_elsewhere_is_followed_on_its_host_alone(hand: Hand) -> None:
    found = "302 Found"
    answers = {
        "/a": page("", status=found, location="/b"),
        "/b": page("arrived", content_type="text/plain"),
        "/circle": page("", status=found, location="/circle"),
        "/away": page("", status=found, location="http://169.254.169.254/secret"),
        "/file": page("", status=found, location="file:///etc/passwd"),
    }
    async with served(answers) as pages:
        tool = WebFetch(loopback)
        assert (await hand.use(tool, url=pages.url("/a"))).text == "arrived"
        assert "leads on and on" in (await hand.use(tool, url=pages.url("/circle"))).text
        away = await hand.use(tool, url=pages.url("/away"))
        assert away.text.endswith(
            "leads to http://169.254.169.254/secret: fetch that, if it is what you want"
        )
        assert "root:" not in (await hand.use(tool, url=pages.url("/file"))).text


async def test_a_long_page_is_read_part_by_part(hand: Hand) -> None:
    text = "".join(f"{n:>9}\n" for n in range(6000))
    async with served({"/long": page(text, content_type="text/plain")}) as pages:
        tool, url = WebFetch(loopback), pages.url("/long")
        first = (await hand.use(tool, url=url)).text
        assert not is_long(first), "what the loop would leave out nobody could ask for"
        assert first.endswith("\n[it goes on: fetch it with offset 28000; it has 60,000 characters]")
        last = (await hand.use(tool, url=url, offset=56_000)).text
        assert last.splitlines()[-1].strip() == "5999"
        beyond = await hand.use(tool, url=url, offset=60_000)
        assert beyond.text == "[the page has 60,000 characters: there is nothing after 60,000]"


async def test_what_leads_where_a_rule_has_its_say_is_not_followed_but_told(hand: Hand) -> None:
    answers = {
        "/": page("", status="302 Found", location="/open"),
        "/open": page("", status="302 Found", location="/private/a"),
        "/private/a": page("secret", content_type="text/plain"),
    }
    async with served(answers) as pages:
        rule = Rule(tool="web_fetch", what=f"{pages.url('/private')}/*", decision="ask")
        result = await hand.use(WebFetch(loopback, Policy(rules=(rule,))), url=pages.url("/"))
        assert result.text.endswith(f"leads to {pages.url('/private/a')}: fetch that, if it is what you want")
        assert len(pages.asked) == 2


async def test_a_name_that_changes_its_address_leads_nowhere_else() -> None:
    looked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        looked.append(host)
        return ["127.0.0.1"] if len(looked) == 1 else ["127.0.0.2"]

    answers = {"/": page("", status="302 Found", location="/next"), "/next": page("second")}
    async with served(answers) as pages:
        url = pages.url("/", host="changes.example")
        with pytest.raises(FetchFailed, match=r"changes\.example has an address that is not public"):
            await fetch(url, allow=loopback, resolve=rebinding)
        assert looked == ["changes.example"] * 2
        assert len(pages.asked) == 1

    async def both(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1", "10.0.0.1"]

    with pytest.raises(FetchFailed, match="not public"):
        await fetch("http://both.example/", allow=loopback, resolve=both)


async def test_the_certificate_is_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("site.example").configure_cert(context)

    async def here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with served({"/": page("secure")}, context) as pages:
        url = pages.url("/", "site.example").replace("http:", "https:")
        assert (await fetch(url, allow=loopback, resolve=here)).body == b"secure"
        with pytest.raises(FetchFailed, match="certificate"):
            await fetch(url.replace("site", "other"), allow=loopback, resolve=here)


def test_broken_markup_is_read_as_far_as_it_goes() -> None:
    assert page_text("<p>a<script>x", "http://h/") == ("", "a")
    assert page_text("<a href='http://[bad'>text</a></p></ul></svg><p>b", "http://h/") == ("", "text\n\nb")
    assert page_text("<title>" + "<p>" * 50_000 + "deep", "http://h/")[1] in ("", "deep")


# --- web_search ---


async def test_each_service_is_asked_as_it_wants(hand: Hand) -> None:
    results = (
        '[{"title": "T", "url": "https://e.org/", "content": "C\\n c", "description": "C c"}, {"no": 1}]'
    )
    answers = {
        "/search": page(f'{{"results": {results}}}', content_type="application/json"),
        "/brave": page(f'{{"web": {{"results": {results}}}}}', content_type="application/json"),
    }
    environ = {"BRAVE_API_KEY": "brave-key", "TAVILY_API_KEY": "tavily-key"}
    async with served(answers) as pages:
        for search, path, sent in (
            ("searxng", "", "GET /search?q=a+b%3F&format=json "),
            ("brave", "/brave", "X-Subscription-Token: brave-key"),
            ("tavily", "/search", '{"query":"a b?","max_results":8}'),
        ):
            tool = WebSearch(WebSettings(search=search, search_url=pages.url(path)), environ)  # type: ignore[arg-type]
            result = await hand.use(tool, query="a b?")
            assert result.text == "1. T\n   https://e.org/\n   C c", result.text
            assert sent in pages.asked[-1]


@pytest.mark.parametrize("status", ["401 Unauthorized", "500 Internal", "200 OK"])
async def test_a_service_that_refuses_is_told_and_its_key_is_not(hand: Hand, status: str) -> None:
    async with served({"/": page("no JSON: brave-key", status=status)}) as pages:
        tool = WebSearch(
            WebSettings(search="brave", search_url=pages.url("/")), {"BRAVE_API_KEY": "brave-key"}
        )
        result = await hand.use(tool, query="x")
        assert result.error
        assert "brave-key" not in result.text


def test_without_a_service_no_search_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(web: WebSettings) -> int:
        return len(web_search_module.tools(Kit(profile=Profile(name="a"), settings=Settings(web=web))))

    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    assert offered(WebSettings()) == 0
    assert offered(WebSettings(search="searxng")) == 0
    assert offered(WebSettings(search="searxng", search_url="http://s.example")) == 1
    assert offered(WebSettings(search="tavily")) == 0
    monkeypatch.setenv("TAVILY_API_KEY", "k")
    assert offered(WebSettings(search="tavily")) == 1
