"""What a node is told: flags over environment over YAML over defaults."""

from .. import __version__ as __version__
