"""Makes `calc` importable from wherever the tests run."""
