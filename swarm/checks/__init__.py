"""Checks: small looks at one thing each, that say in a row whether it is well and what to do if not."""

from ... import __version__ as __version__
