"""CONFIG.md: every setting, from the one table of keys and its manual."""

from collections.abc import Iterator

from picoclaw.config.keys import KEYS, Key
from picoclaw.config.manual import (
    EXAMPLES,
    KIND_WORDS,
    MEANING,
    default_words,
    in_yaml,
    joined,
    limits_words,
)
from picoclaw.config.profiles import MEANT_FOR, PROFILES

NOTE = "<!-- Made by `make docs` from the code: change it there. -->"

INTRO = f"""\
# Settings

{NOTE}

Every setting is a flag, an environment variable and a key of a YAML file. `picoclaw config show --origin`
prints what holds and where each value came from; `picoclaw config init` writes a file with every key;
`picoclaw config validate` tells all mistakes of a file at once; `picoclaw config schema` prints a JSON
Schema for editors.

## Which source wins

1. a flag: `--swarm.max_concurrent 3`, before or after a verb; after it wins
2. an environment variable: `PICOCLAW_SWARM_MAX_CONCURRENT=3`
3. the YAML file: `~/.picoclaw/config.yaml`, or that of `--config FILE`, which then must be there
4. a profile: `--swarm.profile medium` ([Profiles](#profiles))
5. the default

- A value is checked even where a stronger source replaces it.
- An empty environment variable counts as not set. The one exception is `PICOCLAW_SWARM_TEMPORAL_ADDRESS`,
  where it means: none.
- An empty key or section of the file sets nothing.
- A flag may be written with `_` or with `-`; a switch takes `=false` too, as in `--swarm.enabled=false`,
  and has a `--no-` form. The flag of a list may be repeated.
- Any `--swarm` flag implies `swarm.enabled`. In the environment or the file it has to be said.
- `swarm.nats.embedded` excludes other addresses, credentials, TLS and replicas; `swarm.nats.credentials`
  excludes `swarm.nats.token`. The stronger source wins with a warning; two of one strength are refused.

## The file

```yaml
# ~/.picoclaw/config.yaml
swarm:
  role: coordinator
  capabilities: [coordination, scheduling]
  nats:
    urls:
      - nats://localhost:4222
    token: ${{NATS_TOKEN}}
    heartbeat_interval: 10s
```

It is YAML of at most 1 MiB, UTF-8, indented with spaces. An unknown or doubled key is an error that names
the nearest one and its line. Values are taken as they are written: `hid: 007` stays `007`. Tags, anchors
and merges are not supported. Relative paths in it count from its folder.

**Variables.** `${{NAME}}` is the value of an environment variable, which must be set; `${{NAME:-default}}` is
the default where it is empty or not set; `$${{` stands for a plain `${{`. They may stand in any value, also
inside lists. What a variable brings is not expanded again.

## Credentials

`swarm.nats.credentials` takes any of these, and tells them apart by their form:

| form | example |
|---|---|
| a `.creds` file | `/etc/picoclaw/node.creds` |
| a file with an nkey seed | `./node.nk` |
| an nkey seed | `SUAC…`, 58 characters |
| user and password | `ada:${{NATS_PASSWORD}}` |
| a token | `${{NATS_TOKEN}}` |

What begins with `/`, `./`, `../` or `~/`, holds a `/`, or ends in `.creds`, `.nk`, `.nkey`, `.seed`, `.jwt` or
`.txt` is a file, and must be readable. A password or token may also stand in an address, as in
`nats://ada:secret@host:4222`. Arguments are seen by every user of a machine: give secrets by environment
or file. No secret is ever printed; `config show` has `***` for it.

For TLS write `tls://` addresses; `swarm.nats.tls.ca` names the authorities where the system's do not do, and
`swarm.nats.tls.cert` with `swarm.nats.tls.key` answer a server that demands a client certificate.

## Forms of values

| form | what is taken |
|---|---|
"""


def config_reference() -> str:
    """Return the text of CONFIG.md."""
    return INTRO + "\n".join([*_forms(), "", *_profiles(), *_overview(), *_settings()]).rstrip() + "\n"


def _forms() -> Iterator[str]:
    for kind, words in KIND_WORDS.items():
        yield f"| {kind} | {words} |"


def _profiles() -> Iterator[str]:
    keys = list(dict.fromkeys(name for sets in PROFILES.values() for name in sets))
    yield "## Profiles"
    yield ""
    yield "`swarm.profile` sets several figures at once. Each of them gives way to a flag, a variable or a line of"
    yield "the file that sets the same key."
    yield ""
    yield f"| | {' | '.join(f'{name}: {MEANT_FOR[name]}' for name in PROFILES)} |"
    yield f"|---|{'---|' * len(PROFILES)}"
    for key in keys:
        cells = (joined(sets[key]) if key in sets else "" for sets in PROFILES.values())
        yield f"| `{key}` | {' | '.join(cells)} |"
    yield ""
    yield "`large` asks for Temporal without naming an address, as no default could: a node says so in a warning,"
    yield "and works without it."
    yield ""


def _overview() -> Iterator[str]:
    yield "## All settings"
    yield ""
    yield "| key | environment | default |"
    yield "|---|---|---|"
    for key in KEYS.values():
        yield f"| [`{key.name}`](#{_anchor(key)}) | `{key.env}` | {default_words(key)} |"
    yield ""


def _settings() -> Iterator[str]:
    for key in KEYS.values():
        limits = limits_words(key)
        others = ", ".join(f"`{flag}`" for flag in key.flags[1:])
        yield f"### `{key.name}`"
        yield ""
        yield MEANING[key.name]
        yield ""
        yield f"- form: {key.kind}{f'; {limits}' if limits else ''}"
        yield f"- default: {default_words(key)}"
        yield f"- flag: `{_flag(key)}`{f', also {others}' if others else ''}"
        yield f"- environment: `{key.env}={_shell(joined(EXAMPLES[key.name]))}`"
        yield f"- YAML: `{_in_flow(key)}`"
        yield ""


def _anchor(key: Key) -> str:
    """Return the anchor that GitHub makes of a heading: lower case, without dots and marks."""
    return key.name.replace(".", "")


def _flag(key: Key) -> str:
    if key.kind == "bool":
        return key.flag if EXAMPLES[key.name] == "true" else f"{key.flag}={EXAMPLES[key.name]}"
    return f"{key.flag} {_shell(joined(EXAMPLES[key.name]))}"


def _shell(text: str) -> str:
    """Return the text as a shell takes it; a variable is left to the shell."""
    return f'"{text}"' if "$" in text else text


def _in_flow(key: Key) -> str:
    *sections, last = key.name.split(".")
    opened = "".join(f"{name}: {{" for name in sections)
    return f"{opened}{last}: {in_yaml(EXAMPLES[key.name])}{'}' * len(sections)}"
