"""The references that are made from the code: settings and command line."""
