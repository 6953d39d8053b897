"""Decide: whether a policy allows one use of a tool, asks for it or denies it. Pure.

The strictest rule that fits wins. A line of `bash` is as strict as its strictest command; what cannot be
read for sure fits every rule of `bash` and the default. An `allow` rule that names a command vouches for
it: then it does not matter that it runs what it is given. A file that a redirection of `bash` writes is
one that `write` would write.
"""

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import JsonValue

from ..sandbox.bubblewrap import WORKSPACE
from .policy import Decision, Policy, Rule, stricter
from .shell_lines import Command, read_line

_FILES = frozenset({"read", "write", "edit", "glob", "grep"})
_LOOK_BELOW = frozenset({"glob", "grep"})
_TWO_NAMES = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")
"""Letters of which the two standards for names of hosts make different names."""
_ANYWHERE = ("/proc/", "/dev/")
"""Folders from which links lead to any other, such as that of a process."""
_ARGUMENT: Mapping[str, str] = {
    "bash": "command",
    "web_fetch": "url",
    "web_search": "query",
    **dict.fromkeys(_FILES, "path"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a policy says to one use of a tool."""

    decision: Decision
    rules: tuple[str, ...] = ()
    """The rules that made it so strict, in words; empty where nothing but the default did."""
    why: str = ""
    """In words, for the model and for who is asked; empty where it is allowed."""


@dataclass(frozen=True, slots=True)
class _Use:
    """One thing that a tool would do."""

    names: tuple[str, ...]
    """The first is the one that an `allow` rule must fit; a stricter rule may fit any."""
    opaque: str = ""
    sure: str | None = None
    """Its beginning, where the rest may be any name: of a command, by the shell; of a folder, what is in it."""


@dataclass(slots=True)
class _Strictest:
    decision: Decision = "allow"
    rules: dict[str, None] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)

    def take(self, decision: Decision, rule: str, reason: str = "") -> None:
        if stricter(decision, self.decision):
            self.decision = decision
            self.rules.clear()
            self.reasons.clear()
        if decision == self.decision and decision != "allow":
            self.rules[rule] = None
            if reason:
                self.reasons[reason] = None


def decide(
    policy: Policy,
    tool: str,
    arguments: Mapping[str, JsonValue],
    *,
    root: str = "",
    also: Sequence[str] = (),
) -> Ruling:
    """Return what the policy, and those beside it, say to a use of a tool; never raises.

    `root`: the task's folder, which paths are seen from. `also`: further names of what the tool would
    touch, such as where a link leads.
    """
    found = _Strictest()
    line, uses, unread = _uses(tool, arguments, root, tuple(also))
    written = _written(arguments, root) if tool == "bash" else []
    for one in (policy, *policy.also):
        rules = [rule for rule in one.rules if fnmatchcase(tool, rule.tool)]
        # Once, not for each command: a line may have thousands.
        whole = frozenset(
            rule.what for rule in rules if rule.what is not None and fnmatchcase(line, rule.what)
        )
        for use in uses:
            _judge(one, rules, use, whole, found)
        if unread or not uses:
            _take_all(one, rules, unread, found)
        free = any(rule.decision == "allow" and rule.what is None for rule in rules)
        writing = [rule for rule in one.rules if fnmatchcase("write", rule.tool)]
        for use in written:
            _judge(one, writing, use, frozenset(), found, free=free)
    for nested in (inner for beside in policy.also for inner in beside.also):
        ruling = decide(nested, tool, arguments, root=root, also=also)
        for rule in ruling.rules or ("the default",):
            found.take(ruling.decision, rule)
    # By tool: `--always` at one that the default asks for must not answer for every other one.
    by_default = f"{found.decision} by default"
    named = f"{found.decision} {tool} by default"
    rules_said = tuple(named if rule == by_default else rule for rule in found.rules)
    return Ruling(decision=found.decision, rules=rules_said, why=_why(found))


def _judge(
    policy: Policy,
    rules: Sequence[Rule],
    use: _Use,
    whole: frozenset[str],
    found: _Strictest,
    *,
    free: bool = False,
) -> None:
    """`whole`: the patterns that fit the whole of what is asked; `free`: the default does not count."""
    strict = [
        rule
        for rule in rules
        if rule.decision != "allow" and (rule.what is None or rule.what in whole or _may_fit(rule.what, use))
    ]
    for rule in strict:
        found.take(rule.decision, str(rule))
    allowed = [
        rule
        for rule in rules
        if rule.decision == "allow" and (rule.what is None or fnmatchcase(use.names[0], rule.what))
    ]
    if not strict and not allowed and not free:
        found.take(policy.default, _default(policy))
    if use.opaque and not any(rule.what is not None for rule in allowed):
        _take_all(policy, rules, use.opaque, found)


def _may_fit(what: str, use: _Use) -> bool:
    if any(fnmatchcase(name, what) for name in use.names):
        return True
    if use.sure is None:
        return False
    literal = re.split(r"[*?\[]", what, maxsplit=1)[0]
    return literal.startswith(use.sure) or use.sure.startswith(literal)


def _take_all(policy: Policy, rules: Sequence[Rule], why: str, found: _Strictest) -> None:
    """What nobody can read fits every rule."""
    for rule in rules:
        found.take(rule.decision, str(rule), why)
    if not any(rule.decision == "allow" and rule.what is None for rule in rules):
        found.take(policy.default, _default(policy), why)


def _default(policy: Policy) -> str:
    return f"{policy.default} by default"


def _why(found: _Strictest) -> str:
    if found.decision == "allow":
        return ""
    said = f"the policy says: {'; '.join(found.rules)}"
    return f"{said} ({'; '.join(found.reasons)}, so every rule is taken to fit)" if found.reasons else said


def _uses(
    tool: str, arguments: Mapping[str, JsonValue], root: str, also: tuple[str, ...]
) -> tuple[str, list[_Use], str]:
    """Return the whole of what is asked, each thing that it would do, and why there may be more."""
    whole = json.dumps(arguments, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    name = _ARGUMENT.get(tool)
    given = arguments.get(name) if name is not None else None
    if tool == "bash" and isinstance(given, str):
        line = read_line(given)
        return given, [_of_command(command) for command in line.commands], line.opaque
    if tool in _FILES:
        path = given if isinstance(given, str) and given else "."
        normal = _normal_path(path, root, str(WORKSPACE))
        # What looks below a folder touches whatever a rule names there.
        below = None if tool not in _LOOK_BELOW else "" if normal == "." else f"{normal}/"
        return path, [_Use((normal, path, posixpath.normpath(path), *also), sure=below)], ""
    if tool == "web_fetch" and isinstance(given, str):
        normal = _normal_url(given)
        unsure = "its host's name may mean either of two" if _TWO_NAMES.search(_host(given)) else ""
        return given, [_Use((normal, given, unquote(normal), *also), unsure)], ""
    if isinstance(given, str):
        return given, [_Use((given, *also))], ""
    return whole, [_Use((whole, *(text for text in _texts(arguments)), *also))], ""


def _written(arguments: Mapping[str, JsonValue], root: str) -> list[_Use]:
    """Return the files that a line of bash writes by redirections."""
    text = arguments.get("command")
    line = read_line(text if isinstance(text, str) else "")
    found: list[_Use] = []
    for word in line.writes:
        adrift = line.folders is None and not word.text.startswith("/")
        if adrift or _normal_path(word.text).startswith(_ANYWHERE):
            # No rule that allows a place knows that this is it.
            found.append(_Use(("", word.text), sure=""))
            continue
        for folder in line.folders or ("",):
            path = posixpath.join(folder, word.text)
            # Without a sandbox its name for the workspace is a place like any other.
            names = (_normal_path(path, root), word.text, _normal_path(path, root, str(WORKSPACE)))
            found.append(_Use(names, sure="" if word.pattern else None))
    return found


def _of_command(command: Command) -> _Use:
    # As it is written: `./git` is not the `git` that a rule vouches for.
    return _Use((command.texts[-1], *command.texts[:-1]), command.opaque, command.sure)


def _normal_path(path: str, *roots: str) -> str:
    """Return a path as it is seen from the first of some roots that it lies in."""
    path = re.sub("^//+", "/", posixpath.normpath(path))
    for base in (posixpath.normpath(root) for root in roots if root):
        if path == base or path.startswith(base.rstrip("/") + "/"):
            return posixpath.relpath(path, base)
    return path


def _host(url: str) -> str:
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def _normal_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").encode("idna").decode().rstrip("."), parts.port
    except ValueError:
        return url
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    place = host if port in (None, usual) else f"{host}:{port}"
    return urlunsplit((parts.scheme, place, _without_dots(parts.path), parts.query, ""))


def _without_dots(path: str) -> str:
    """Return a URL's path as it is asked for: `.` and `..` are gone from it, also where they are escaped."""
    kept: list[str] = []
    parts = path.removeprefix("/").split("/")
    *folders, last = (dots if (dots := unquote(part)) in (".", "..") else part for part in parts)
    for part in (*folders, "" if last in (".", "..") else last):
        if part == "..":
            kept = kept[:-1]
        elif part != ".":
            kept.append(part)
    if last == "..":
        kept = [*kept[:-2], ""]
    return "/" + "/".join(kept)


def _texts(value: JsonValue | Mapping[str, JsonValue]) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []
