"""Code review without a model: real tools, run as child processes."""
