"""The `picoclaw` command: node flags, verbs and the dashboard."""

from .. import __version__ as __version__
