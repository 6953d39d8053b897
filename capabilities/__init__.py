"""What a node can do: registry, matching and one executor per file."""

from .. import __version__ as __version__
