"""A calculator."""


def add(left: int, right: int) -> int:
    """Return the sum."""
    return left + right


def divide(left: int, right: int) -> float:
    """Return the quotient; raises ZeroDivisionError."""
    return left / right
