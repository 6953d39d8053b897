"""`docs/guide.md` holds each command and file of the guide that we promise to be true, as it stands there."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from picoclaw.config.keys import BY_ENV
from picoclaw.config.load import Loaded, load, value_of
from picoclaw.config.settings import Settings
from picoclaw.tests.support.docs import DOCS, ROOT, blocks, document, table

pytestmark = pytest.mark.unit

THEIRS = (
    ("single node", "bash", "f66a8f734b869486"),
    ("compose file", "yaml", "c83e24bb0301ed16"),
    ("compose command", "bash", "958db33b40d078a5"),
    ("architecture", "", "df92593f3fbacb70"),
    ("config file", "yaml", "ba63a288929c44f1"),
    ("local development", "bash", "3c4e7623fc6198c9"),
    ("single machine", "bash", "3c7eecdf11fa6e0a"),
    ("several machines", "bash", "a9cadb24b3b4a570"),
    ("kubernetes", "yaml", "9b3124ecf6f44e91"),
    ("coordinator", "bash", "841087585a716baf"),
    ("worker", "bash", "d67d2b812adaadd2"),
    ("specialist", "bash", "34e9f5c2c308b77f"),
    ("dashboard command", "bash", "548b0285c112e22e"),
    ("dashboard", "", "c633036746017a78"),
    ("logs", "bash", "72ddba3113a59305"),
    ("authentication", "bash", "6999eee9d020a855"),
    ("TLS", "bash", "73dd56523e7b20be"),
    ("small swarm", "yaml", "ac101fbe2f09c09b"),
    ("medium swarm", "yaml", "e542731559a3b911"),
    ("large swarm", "yaml", "e8200b6d60b28a3f"),
    ("review by specialists", "bash", "f9383eba0ccd047a"),
)
"""The guide's blocks in its order: what each is, its language and the digest of its text."""

OUR_LANGUAGE = "sh"
"""Marks the blocks that stand beside the guide's: the forms that work."""

INLINE = (
    "picoclaw --swarm.check-nats", "temporal server start-dev", '--swarm.temporal.address=""',
    "--swarm.max_concurrent", "--swarm.nats.embedded", "-js",
    "Temporal connection failed (workflows disabled)",
)  # fmt: skip
"""What the guide names within its sentences."""

VARIABLES = {
    "PICOCLAW_SWARM_ENABLED": "false",
    "PICOCLAW_SWARM_ROLE": "worker",
    "PICOCLAW_SWARM_NATS_URLS": "nats://localhost:4222",
    "PICOCLAW_SWARM_CAPABILITIES": "general",
    "PICOCLAW_SWARM_MAX_CONCURRENT": "5",
    "PICOCLAW_SWARM_HID": "auto-generated",
    "PICOCLAW_SWARM_SID": "auto-generated",
}
"""The guide's table: variable and default."""


def test_each_block_of_the_guide_is_there_as_it_was_and_in_its_order() -> None:
    ours = [block for block in blocks(document("guide.md")) if block.language != OUR_LANGUAGE]

    changed = [
        f"line {block.line}: {what}"
        for (what, language, digest), block in zip(THEIRS, ours, strict=True)
        if (block.language, block.digest) != (language, digest)
    ]
    assert changed == []


def test_each_block_of_commands_or_settings_has_a_test_that_takes_it() -> None:
    acceptance = ROOT / "tests" / "acceptance"
    tests = [*acceptance.glob("guide/*.py"), acceptance / "test_quick_start.py"]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in tests)

    headings = {block.heading for block in blocks(document("guide.md")) if block.heading != "Architecture"}
    assert [heading for heading in headings if f'"{heading}"' not in sources] == []


def test_what_the_guide_names_within_its_sentences_is_named() -> None:
    text = document("guide.md")

    assert [words for words in INLINE if f"`{words}`" not in text] == []


def test_the_table_of_variables_has_the_guides_rows_and_the_codes_defaults() -> None:
    rows = {row["Variable"]: row["Default"] for row in table(document("guide.md"), "Variable")}

    assert rows == VARIABLES
    for variable, default in rows.items():
        value = value_of(Settings(), BY_ENV[variable].name)
        shown = ",".join(value) if isinstance(value, tuple) else str(value)
        if isinstance(value, bool):
            shown = str(value).lower()
        assert default == ("auto-generated" if value is None else shown), variable


def load_block(text: str, home: Path) -> Loaded:
    path = home / ".picoclaw" / "config.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load({}, {}, file=None, home=home)


def test_each_settings_file_loads_as_it_stands_and_every_key_arrives(home: Path) -> None:
    files = [b for b in blocks(document("guide.md")) if b.language == "yaml" and "\nswarm:" in f"\n{b.text}"]
    assert len(files) == 4
    warned = []
    for block in files:
        loaded = load_block(block.text, home)
        warned.append(loaded.warnings)

        def arrived(tree: dict[str, object], prefix: str, loaded: Loaded = loaded) -> None:
            for key, raw in tree.items():
                if isinstance(raw, dict):
                    arrived(raw, f"{prefix}{key}.")
                    continue
                value = value_of(loaded.settings, f"{prefix}{key}")
                if isinstance(value, timedelta):
                    value = f"{value.total_seconds():g}s"
                assert (list(value) if isinstance(value, tuple) else value) == raw, f"{prefix}{key}"

        arrived(yaml.safe_load(block.text), "")
    temporal, *quiet, large = warned
    assert temporal == ("Temporal connection failed (workflows disabled)",)
    assert quiet == [(), ()]
    (why,) = large
    assert "has no effect without swarm.temporal.address" in why


@pytest.mark.parametrize("name", ["guide.md", "troubleshooting.md", "tuning.md"])
def test_each_file_that_a_link_names_is_there(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document(name))

    assert [link for link in links if not (DOCS / link).exists()] == []
