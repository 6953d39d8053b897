from fractions import Fraction

import pytest


def test_divide() -> None:
    assert Fraction(1, 3) / 2 == Fraction(1, 6)


def test_divide_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        Fraction(1, 3) / 0
