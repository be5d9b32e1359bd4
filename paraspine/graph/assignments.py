"""Parameters typed on a command line: ``name=value``, the value read as YAML."""

from __future__ import annotations

import yaml

from paraspine.arrays import SettingsError

__all__ = ["parse_assignment", "read_words"]


def parse_assignment(text: str) -> tuple[str, object]:
    """Split ``name=value`` into the name and the value read as YAML.

    >>> parse_assignment("epochs=3")
    ('epochs', 3)
    >>> parse_assignment("methods=[single, dropout]")
    ('methods', ['single', 'dropout'])
    """
    name, sign, value = text.partition("=")
    if not sign or not name.strip().isidentifier():
        raise SettingsError(f"expected name=value, got {text!r}.")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SettingsError(f"parameter '{name.strip()}': not valid YAML: {value!r}.") from error


def read_words(value):
    """Read a value that may have come as text, such as Snakemake's ``--config``, as YAML.

    >>> read_words("null"), read_words(["0", "1"]), read_words("rater:anna"), read_words(3)
    (None, [0, 1], 'rater:anna', 3)
    """
    if isinstance(value, list):
        return [read_words(v) for v in value]
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value
