"""Definitions: capabilities that a user wrote down in YAML files, read and checked."""
