from calc import add


def test_add() -> None:
    assert add(1, 2) == 3


def test_add_nothing() -> None:
    assert add(1, 0) == 1
