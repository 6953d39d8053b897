"""A workflow's YAML as data, with the line of each key."""

from ...config.document import Document
from ...config.document import read_document as read_plain
from ...config.plain_yaml import MAX_BYTES, YamlMistake
from ...config.yaml_words import typed_word

MAX_CHARACTERS = MAX_BYTES


def read_document(text: str) -> Document:
    """Read one YAML document; raises YamlMistake."""
    if len(text) > MAX_CHARACTERS:
        raise YamlMistake(f"it is over {MAX_CHARACTERS / 2**20:g} MiB: is it the right file?")
    return read_plain(text, typed_word)
