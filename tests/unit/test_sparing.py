"""Foreign messages in a node's log: the first at once, then their number once a minute."""

import logging
from collections.abc import Iterator

import pytest

from picoclaw.cli.logs.sparing import AT_ONCE, WINDOW, Sparing
from picoclaw.swarm.foreign import warn_foreign

pytestmark = pytest.mark.unit


class Screen(logging.Handler):
    """What was shown, and a clock that the test turns."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.now = 100.0
        self.addFilter(Sparing(self, clock=lambda: self.now))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def log(screen: Screen) -> Iterator[logging.Logger]:
    logger = logging.getLogger("a log that is spared")
    logger.setLevel(logging.INFO)
    logger.addHandler(screen)
    yield logger
    logger.removeHandler(screen)


def foreign(log: logging.Logger, number: int, where: str = "picoclaw.h.log.x._") -> None:
    for _ in range(number):
        warn_foreign(log, where, "it is no JSON")


def test_the_first_are_shown_at_once_and_the_rest_held_back(screen: Screen, log: logging.Logger) -> None:
    foreign(log, 5_000)

    assert screen.lines == ["foreign message on picoclaw.h.log.x._: it is no JSON"] * AT_ONCE


def test_after_a_minute_one_line_tells_how_many_there_were_and_where(
    screen: Screen, log: logging.Logger
) -> None:
    foreign(log, 5_000)
    screen.now += WINDOW
    log.info("Request accepted")

    held = f"{5_000 - AT_ONCE:,} more foreign messages on picoclaw.h.log.>, the last of them on "
    assert screen.lines[AT_ONCE:] == [held + "picoclaw.h.log.x._", "Request accepted"]


def test_who_goes_on_gets_one_line_a_minute(screen: Screen, log: logging.Logger) -> None:
    for _ in range(4):
        foreign(log, 1_000)
        screen.now += WINDOW
    log.info("the end")

    numbers = [line.split()[0] for line in screen.lines[AT_ONCE:-1]]
    assert numbers == ["990", "1,000", "1,000", "1,000"]


def test_after_a_quiet_minute_it_begins_anew(screen: Screen, log: logging.Logger) -> None:
    foreign(log, AT_ONCE)
    screen.now += WINDOW
    foreign(log, 1)

    assert len(screen.lines) == AT_ONCE + 1
    assert "more foreign" not in screen.lines[-1]


def test_another_family_is_shown_and_so_is_every_other_line(screen: Screen, log: logging.Logger) -> None:
    foreign(log, 100)
    foreign(log, 1, "picoclaw.h.node.ghost")
    for _ in range(100):
        log.warning("Node marked offline")

    assert screen.lines[AT_ONCE] == "foreign message on picoclaw.h.node.ghost: it is no JSON"
    assert screen.lines.count("Node marked offline") == 100
