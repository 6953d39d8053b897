from fractions import Fraction


def test_add() -> None:
    assert Fraction(1, 3) + Fraction(1, 6) == Fraction(1, 2)


def test_add_nothing() -> None:
    assert Fraction(1, 3) + 0 == Fraction(1, 3)
