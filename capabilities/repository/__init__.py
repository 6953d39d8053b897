"""Repositories by reference: packed by the sender, unpacked read-only by the worker."""
