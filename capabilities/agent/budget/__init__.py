"""Budgets: money, tokens, turns and time, taken before they are spent."""
