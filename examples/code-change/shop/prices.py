"""What an order costs, in cents."""


def total(prices: list[int], discount: int = 0) -> int:
    """Return the sum of the prices, less a discount in percent."""
    return sum(prices)
