"""Everything that knows NATS, and the pure rules of the task log."""

from .. import __version__ as __version__
