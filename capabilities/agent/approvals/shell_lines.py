"""Shell lines: which commands a line of `bash` would run, as far as that can be told for sure. Pure.

A program that runs what its arguments, its input or a file say makes its command opaque: nobody can say
here what it would run. This fences off orders and mistakes; against a program that means harm stands
the sandbox.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .shell_words import Word, split_line

LONGEST = 8192
"""Characters of a line that is read; a longer one is opaque."""
_DEEPEST = 5
_TOO_DEEP = "it is nested too deep"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KEYWORDS = _words(
    "if then elif else fi for while until do done case esac select function time coproc in ! [["
)
_SHELLS = _words("sh bash dash zsh ksh mksh ash fish csh tcsh rbash")
_RUN_WHAT_THEY_ARE_GIVEN = _SHELLS | _words(
    "busybox toybox eval source . exec trap alias unalias enable builtin hash bind complete mapfile readarray "
    "python pypy perl ruby node nodejs deno bun php lua tclsh expect awk gawk mawk nawk sed ed ex vi vim nvim "
    "emacs make gmake ninja cmake just ssh su sudo doas pkexec runuser chroot nsenter unshare bwrap docker "
    "podman kubectl script screen tmux at batch crontab parallel xargs find fd entr watch socat ncat nc gdb "
    "strace ltrace uv uvx npx npm pnpm yarn pip pipx poetry tox nox nix flock systemd-run setpriv ionice chrt "
    "taskset start-stop-daemon java go cargo gcc cc tar rsync zip less more man ld-linux-x86-64.so ld.so "
    "time doas dbus-run-session xvfb-run faketime proot fakeroot setarch linux32 linux64 stdbuf pytest nose2 "
    "ipython jupyter conda mamba pixi hatch pdm rake bundle bundler gem irb composer mvn mvnw gradle gradlew ant "
    "bazel meson scons sbt rustc clang tcc julia r rscript raku guile racket sbcl clisp ocaml ghc runghc runhaskell "
    "stack cabal elixir iex mix erl swift scala kotlin groovy octave gnuplot pwsh dotnet tsx ts-node jest mocha "
    "webpack vite sqlite3 psql mysql dc m4 scp sftp tcpdump valgrind prlimit numactl chpst catchsegv rlwrap "
    "unbuffer apt apt-get dpkg rpm yum dnf apk brew pacman snap ansible ansible-playbook terraform helm vagrant "
    "pre-commit logrotate run-parts systemctl xdg-open picoclaw mypy pylint flake8 coverage sphinx-build mkdocs "
    "eslint prettier hg svn ctags tex latex latexmk pdflatex xelatex lualatex compgen fc"
)
_READ_SHELLS = _words("sh bash dash")
"""Their lines are read here; the others have words of their own, by which commands begin."""
_WRAPPERS = frozenset({"env", "nice", "nohup", "timeout", "setsid", "command"})
"""They run the command that follows their own options: it counts beside them."""
_SYSTEM = ("/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/")
_NO_FILE = re.compile(r"/dev/(null|stdout|stderr|tty|fd/[0-9]+)")
_MOVES = _words("cd pushd popd")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^]]*\])?\+?=")
_CHANGES_PROGRAMS = _words(
    "PATH IFS BASH_ENV ENV SHELLOPTS BASHOPTS PROMPT_COMMAND HOME CDPATH PAGER EDITOR VISUAL"
)
_CHANGES_PREFIXES = ("LD_", "DYLD_", "BASH_FUNC", "GIT_", "PYTHON", "PERL", "RUBY", "NODE_")
_GIT_RUNS = _words(
    "config bisect rebase filter-branch submodule difftool mergetool alias hook maintenance send-email instaweb p4 "
    "web--browse imap-send for-each-repo daemon remote-ext merge-index"
)
_GIT_OPTIONS = _words(
    "--config-env --config --exec --upload-pack --receive-pack --open-files-in-pager --ext-diff --textconv "
    "--template --extcmd"
)
_RUN_BY_OPTION = {
    "sort": ("--compress-program",),
    "split": ("--filter",),
    "wget": ("--use-askpass", "--execute"),
    "rg": ("--pre", "--hostname-bin"),
    "diff3": ("--diff-program",),
    "sdiff": ("--diff-program",),
    "install": ("--strip-program",),
}
"""Programs that run what one of their options names."""
_RUN_BY_LETTER = {"wget": "e", "jobs": "x"}
_SET_VARIABLES = _words("export declare typeset local readonly read getopts let unset")
_EVALUATE = _SET_VARIABLES | _words("test [")
"""They take indices of arrays in their arguments, in which the shell runs substitutions, quoted or not."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a line."""

    texts: tuple[str, ...]
    """Its words with one blank between them: with the program's bare name, and as it is written."""
    opaque: str = ""
    """Why it may run others too."""
    sure: str | None = None
    """Its beginning up to what the shell may replace by names of files; None: it replaces nothing."""


@dataclass(frozen=True, slots=True)
class ShellLine:
    """A line as a policy sees it."""

    commands: tuple[Command, ...]
    opaque: str = ""
    """Why there may be more commands than these."""
    writes: tuple[Word, ...] = ()
    """Files that its redirections write."""
    folders: tuple[str, ...] | None = ("",)
    """Where it may be when it writes them, seen from where it began; None: anywhere."""


def read_line(text: str) -> ShellLine:
    """Return the commands of a line; never raises."""
    return _read(text, _DEEPEST)


def _read(text: str, depth: int) -> ShellLine:
    if len(text) > LONGEST:
        return ShellLine((), f"it is longer than {LONGEST} characters")
    if depth <= 0:
        return ShellLine((), _TOO_DEEP)
    split, written, why = split_line(text)
    found: list[Command] = []
    for words in split:
        why = _take(words, found, written, depth) or why
    writes = (word for word in written if not _NO_FILE.fullmatch(word.text))
    return ShellLine(tuple(found), why, tuple(writes), _folders(found))


def _folders(commands: Sequence[Command]) -> tuple[str, ...] | None:
    moves = [command for command in commands if command.texts[0].partition(" ")[0] in _MOVES]
    if not moves:
        return ("",)
    name, _, to = moves[0].texts[0].partition(" ")
    sure = len(moves) == 1 and name == "cd" and moves[0].sure is None and to and not to.startswith("-")
    return ("", to) if sure else None


def _take(words: Sequence[Word], found: list[Command], written: list[Word], depth: int) -> str:
    """Add a command, and what it is known to run; return why the line is opaque, if it is."""
    rest, why = list(words), ""
    while rest and (name := _assigned(rest[0].unquoted if rest[0].quoted else rest[0].text)):
        why = _changes(name) or why
        rest.pop(0)
    if not rest:
        return why
    program, name = rest[0], rest[0].text.rsplit("/", 1)[-1]
    arguments = [word.text for word in rest[1:]]
    texts = dict.fromkeys([" ".join([name, *arguments]), " ".join([program.text, *arguments])])
    opaque, inner = _opaque(program, name, arguments), ShellLine(())
    known = name in _READ_SHELLS and ("/" not in program.text or _of_system(program.text))
    if known and len(arguments) == 2 and arguments[0] in ("-c", "-ec"):
        inner, opaque = _read(arguments[1], depth - 1), ""
    found.append(Command(tuple(texts), opaque, _sure(name, rest)))
    found.extend(inner.commands)
    written.extend(inner.writes)
    why = inner.opaque or why
    if program.text in _KEYWORDS and not program.quoted:
        return f"it holds {program.text!r}, which begins a command of its own"
    if name in _WRAPPERS:
        wrapped, unread = _wrapped(name, rest[1:])
        why = unread or why
        if depth <= 0:
            return _TOO_DEEP
        why = _take(wrapped, found, written, depth - 1) or why
    return why


def _sure(name: str, words: Sequence[Word]) -> str | None:
    at = next((at for at, word in enumerate(words) if word.pattern and at), None)
    if at is None:
        return None
    return " ".join([name, *(word.text for word in words[1:at])]) + " "


def _assigned(text: str) -> str:
    """Return the variable that a word sets, if it may be an assignment."""
    match = _ASSIGNMENT.match(text)
    return match[1] if match else ""


def _set(name: str, arguments: Sequence[str]) -> str:
    """Return why a command of the shell's own, which sets variables or looks at them, is not sure."""
    if name == "printf" and arguments and arguments[0].startswith("-v"):
        name, arguments = "read", [arguments[0][2:], *arguments[1:2]]
    if name in _EVALUATE and any(mark in word for word in arguments for mark in "$`"):
        return f"{name} runs substitutions in what it is given"
    if name not in _SET_VARIABLES:
        return ""
    return next(filter(None, (_changes(re.split(r"\W", word, maxsplit=1)[0]) for word in arguments)), "")


def _changes(name: str) -> str:
    changes = name in _CHANGES_PROGRAMS or name.startswith(_CHANGES_PREFIXES)
    return f"it sets {name}, which changes what a program does" if changes else ""


def _opaque(program: Word, name: str, arguments: Sequence[str]) -> str:
    if unsure := _set(name, arguments):
        return unsure
    if name == "[":
        return ""
    if program.pattern or not name:
        return "its program is a pattern, or empty"
    base = re.sub(r"[-.]?[0-9][0-9.]*$", "", name)
    if not _RUN_WHAT_THEY_ARE_GIVEN.isdisjoint((name, base, name.lower())):
        return f"{name} runs what it is given"
    if any(_abbreviates(word, _RUN_BY_OPTION.get(name, ())) for word in arguments):
        return f"{name} runs what it is given by an option"
    letter = _RUN_BY_LETTER.get(name)
    if letter and any(re.match(f"-[A-Za-z]*{letter}", word) for word in arguments):
        return f"{name} runs what it is given by an option"
    if "/" in program.text and not _of_system(program.text):
        return f"{program.text} may be any program"
    if name == "git" and _run_by_git(arguments):
        return "git runs what it is given by an option or setting"
    return ""


def _of_system(path: str) -> bool:
    return path.startswith(_SYSTEM) and ".." not in path.split("/")


def _run_by_git(arguments: Sequence[str]) -> bool:
    begins = ["-c", "-x", "ext::"]
    begins += ["-O"] if "grep" in arguments else []
    begins += ["-u"] if "clone" in arguments else []
    return any(
        word in _GIT_RUNS or word.startswith(tuple(begins)) or _abbreviates(word, _GIT_OPTIONS)
        for word in arguments
    )


def _abbreviates(word: str, options: Iterable[str]) -> bool:
    """Return whether a word may be one of some long options: programs take as much of one as is clear."""
    name = word.partition("=")[0]
    return len(name) > 2 and name.startswith("--") and any(option.startswith(name) for option in options)


def _wrapped(name: str, words: Sequence[Word]) -> tuple[list[Word], str]:
    """Return the command that a wrapper runs, and why that is not sure."""
    rest, why = list(words), ""
    while rest:
        word = rest[0].text
        if name == "env" and (variable := _assigned(word)):
            why = _changes(variable) or why
        elif word == "--" and name != "env":  # what env runs may still have assignments before it
            rest.pop(0)
            break
        elif word.startswith("-") and word not in ("-i", "-f", "-w", "--"):
            why = f"{name} {word} is not read here"
        elif not word.startswith("-"):
            break
        rest.pop(0)
    if name == "timeout" and rest:
        rest.pop(0)
    return rest, why
