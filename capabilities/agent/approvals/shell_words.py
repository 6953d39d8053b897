"""Shell words: a line of shell split into commands and words, as far as that is sure. Pure.

A small part of the language: words, quotes, pipes, lists, redirections, comments. At what it does not
read (a substitution, a variable, a bracket, a brace, a here-document) it stops and says so.
"""

import re
from dataclasses import dataclass, field

_ENDS = ("&&", "||", "|&", ";;", ";", "|", "&", "\n")
_REDIRECTION = re.compile(r"(&>>|&>|>>|>\||>&|<&|<>|>|<)")
_NUMBER = re.compile(r"[0-9]+")
_WRITES = frozenset(("&>>", "&>", ">>", ">|", ">&", "<>", ">"))
_CONNECTIONS = ("/dev/tcp/", "/dev/udp/")
_ESCAPED_IN_QUOTES = '$`"\\\n'


class Unread(ValueError):
    """Raised at a part of a line that is not read here; says why."""


@dataclass(slots=True)
class Word:
    """One word, without its quotation marks."""

    text: str = ""
    quoted: bool = False
    """Some of it is quoted: it is no keyword."""
    unquoted: str = ""
    """Of one that is quoted, what stands before: only there the shell looks for an assignment."""
    pattern: bool = False
    """The shell may replace it by names of files."""


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0
    commands: list[list[Word]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    word: Word | None = None
    file_next: str = ""
    """The redirection whose file the next word is; empty: it is an argument."""
    written: list[Word] = field(default_factory=list)

    def grow(self) -> Word:
        if self.word is None:
            self.word = Word()
        return self.word

    def end_word(self) -> None:
        word, redirection = self.word, self.file_next
        self.word = None
        if word is None:
            return
        self.file_next = ""
        if not redirection:
            self.words.append(word)
            return
        if word.text.startswith(_CONNECTIONS):
            raise Unread("it opens a connection by a redirection")
        of_number = redirection == ">&" and (_NUMBER.fullmatch(word.text) is not None or word.text == "-")
        if redirection in _WRITES and not of_number:
            self.written.append(word)

    def end_command(self) -> None:
        self.end_word()
        if self.file_next:
            raise Unread("a redirection names no file")
        if self.words:
            self.commands.append(self.words)
        self.words = []

    def step(self) -> None:
        char = self.text[self.at]
        if char in " \t":
            self.end_word()
            self.at += 1
        elif self.text.startswith("\\\n", self.at):  # the line goes on as if nothing stood there
            self.at += 2
        elif char in "'\"\\":
            self._quoted(char)
        elif char in "$`":
            raise Unread("it holds a substitution or a variable")
        elif char in "(){}":
            raise Unread("it holds brackets: a group, a function or an expansion")
        elif (char < " " and char != "\n") or char == "\x7f":
            raise Unread("it holds a control character")
        elif char == "#" and self.word is None:
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif redirection := _REDIRECTION.match(self.text, self.at):
            self._redirect(redirection.end())
        elif mark := next((mark for mark in _ENDS if self.text.startswith(mark, self.at)), None):
            self.end_command()
            self.at += len(mark)
        else:
            word = self.grow()
            word.text += char
            word.pattern |= char in "*?[~"
            self.at += 1

    def _quoted(self, mark: str) -> None:
        word = self.grow()
        if not word.quoted:
            word.quoted, word.unquoted = True, word.text
        self.at += 1
        if mark == "'":
            end = self.text.find("'", self.at)
            if end < 0:
                raise Unread("a quotation mark has no end")
            word.text += self.text[self.at : end]
            self.at = end + 1
        elif mark == "\\":
            if self.at >= len(self.text):
                raise Unread("it ends with a backslash")
            word.text += self.text[self.at]
            self.at += 1
        else:
            self._double_quoted(word)

    def _double_quoted(self, word: Word) -> None:
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return
            if char in "$`":
                raise Unread("it holds a substitution or a variable")
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in tuple(_ESCAPED_IN_QUOTES):
                self.at += 1
                char = self.text[self.at].replace("\n", "")
            word.text += char
            self.at += 1
        raise Unread("a quotation mark has no end")

    def _redirect(self, end: int) -> None:
        if self.text.startswith("<<", self.at) or self.text.startswith(("<(", ">("), self.at):
            raise Unread("it holds a here-document or a process substitution")
        if self.word is not None and _NUMBER.fullmatch(self.word.text) and not self.word.quoted:
            self.word = None  # `2>`: the number is of the redirection
        self.end_word()
        if self.file_next:
            raise Unread("a redirection names no file")
        self.file_next = self.text[self.at : end]
        self.at = end


def split_line(text: str) -> tuple[list[list[Word]], list[Word], str]:
    """Return the commands of a line, each as its words, the files that redirections write, and why there may
    be more of either; never raises."""
    reader = _Reader(text)
    why = ""
    try:
        while reader.at < len(text):
            reader.step()
        reader.end_command()
    except Unread as reason:
        why = str(reason)
        reader.word, reader.file_next = (None if reader.file_next else reader.word), ""
        reader.end_command()
    return reader.commands, reader.written, why
