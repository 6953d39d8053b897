"""The processes of a swarm: node life cycle, coordinator, worker, specialist."""

from .. import __version__ as __version__
