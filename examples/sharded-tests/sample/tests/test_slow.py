import pytest


@pytest.mark.skip(reason="slow")
def test_slow() -> None:
    raise AssertionError
