"""How the command ends: every expected failure is one line on stderr and its exit code."""

import errno
import os
import sys
from collections.abc import Callable, Iterator

import click

from ..errors import PicoclawError

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells do."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def guarded(call: Callable[[], object]) -> int:
    """Run `call` and return the command's exit code, an `int` result included.

    Errors of our tree and click's usage errors become one line; a bug keeps its traceback.
    """
    _open_missing_streams()
    try:
        code = _reported(call)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as with `| head`; keep Python from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail(f"{error.strerror}: free some, or write elsewhere", 1)
    return code


def _open_missing_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr an empty one.

    Python has None for them, and the next file or socket opened would take their number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The lowest number that is free: this very one, as those below it are open by now.
            stream = open(os.devnull, "w" if number else "r")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _reported(call: Callable[[], object]) -> int:
    try:
        result = call()
    except PicoclawError as error:
        return _fail(str(error), error.exit_code)
    except BaseExceptionGroup as group:
        errors = list(_leaves(group))
        known = [error for error in errors if isinstance(error, PicoclawError)]
        if len(known) < len(errors):
            raise
        return _fail(str(known[0]), known[0].exit_code)
    except FileNotFoundError:
        if not _folder_is_gone():
            raise
        return _fail("the folder in which this command was started is gone: `cd` to another one", 2)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        return _fail(usage_message(error), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def echo_error(message: str) -> None:
    """Print `picoclaw: error: MESSAGE` as one line on stderr."""
    _echo("error", message, "red")


def echo_warning(message: str) -> None:
    """Print `picoclaw: warning: MESSAGE` as one line on stderr."""
    _echo("warning", message, "yellow")


def usage_message(error: click.UsageError) -> str:
    """Return click's complaint as one clause with the nearest name and where help is."""
    command = error.ctx.command_path if error.ctx else "picoclaw"
    if isinstance(error, click.NoSuchOption):
        # Sorted by likeness; both spellings of one flag would only be noise.
        near = f": did you mean {error.possibilities[0]}?" if error.possibilities else ";"
        if not error.option_name.startswith("--"):
            near = ": flags begin with two dashes, as in --swarm.role;"
        return f"unknown flag {error.option_name}{near} `{command} --help` lists all"
    text = error.format_message().rstrip(".")
    return f"{text[:1].lower()}{text[1:]}; see `{command} --help`"


def _fail(message: str, code: int) -> int:
    echo_error(message)
    return code


def _echo(word: str, message: str, colour: str) -> None:
    from .printing.output import hush  # only what goes wrong pays for it

    hush()
    line = "".join(c if c.isprintable() else " " for c in message)
    # click strips the colour itself where stderr is no terminal.
    label = word if os.environ.get("NO_COLOR") else click.style(word, fg=colour, bold=True)
    click.echo(f"picoclaw: {label}: {line}", err=True)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
