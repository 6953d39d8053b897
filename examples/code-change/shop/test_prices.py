import unittest

from prices import total


class Total(unittest.TestCase):
    def test_it_is_the_sum(self) -> None:
        self.assertEqual(total([250, 750]), 1000)

    def test_the_discount_is_taken_off(self) -> None:
        self.assertEqual(total([250, 750], discount=10), 900)
