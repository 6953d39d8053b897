import pytest
from calc import divide


def test_divide() -> None:
    assert divide(3, 2) == 1.5


def test_divide_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
