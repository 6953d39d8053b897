"""The doctor's checks of this machine: each returns rows, changes nothing and starts no server or node."""

from ... import __version__ as __version__
