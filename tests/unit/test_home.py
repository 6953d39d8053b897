"""A user without a home, as container platforms make them."""

import pwd
from pathlib import Path

import pytest

from picoclaw.config.home import home_folder
from picoclaw.swarm.embedded.rundir import picoclaw_home

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


def test_a_user_without_a_home_is_at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)

    assert home_folder() == Path("/")
    assert picoclaw_home() == Path("/.picoclaw")
