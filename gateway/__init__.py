"""Doors of the swarm: how programs other than a node hand in requests and look at what became of them."""

from .. import __version__ as __version__
