"""Profiles: parameters from YAML files and the command line."""

from __future__ import annotations

from pathlib import Path

import yaml

from paraspine.arrays import SettingsError

__all__ = ["load_profile", "parse_assignment", "read_words"]


def load_profile(path: Path | str) -> dict:
    """Read a profile: a flat YAML block of parameters.

    Raises
    ------
    SettingsError
        If the file is missing, is no YAML, nests, or gives a name twice.
    """
    path = Path(path)
    if not path.is_file():
        there = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise SettingsError(f"profile '{path.stem}': not found; there are {', '.join(there)}.")
    try:
        block = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name}: not valid YAML: {error}") from error
    if not isinstance(block, dict):
        raise SettingsError(
            f"{path.name}: expected 'name: value' lines, got {type(block).__name__}."
        )
    nested = [str(k) for k, v in block.items() if isinstance(v, dict)]
    if nested:
        raise SettingsError(f"{path.name}: a profile is flat, but {', '.join(nested)} nests.")
    return block


class _StrictLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(k, deep=deep) for k, _ in node.value]
        twice = sorted({str(k) for k in keys if keys.count(k) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"given twice: {', '.join(twice)}", node.start_mark
            )
        return super().construct_mapping(node, deep)


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
