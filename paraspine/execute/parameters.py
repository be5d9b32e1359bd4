"""The parameters of a notebook and of a profile: read, checked, never guessed."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from paraspine.arrays import SettingsError

__all__ = [
    "check_parameters",
    "declared_parameters",
    "load_profile",
    "parse_assignment",
    "read_words",
]


def declared_parameters(notebook: Path | str) -> dict:
    """Names and default values that a notebook's ``parameters`` cell declares.

    Parameters
    ----------
    notebook : path
        A notebook with one cell tagged ``parameters`` that holds plain assignments of literals.

    Returns
    -------
    dict
        Name to default value, in the order of the cell.

    Raises
    ------
    SettingsError
        If the file is no notebook, has not exactly one such cell, or a default is no literal.
    """
    path = Path(notebook)
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: no such notebook.") from error
    except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a notebook ({error}).") from error
    tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise SettingsError(
            f"{path.name}: expected one cell tagged 'parameters', found {len(tagged)}."
        )
    source = tagged[0]["source"]
    text = source if isinstance(source, str) else "".join(source)
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            raise SettingsError(
                f"{path.name}: line {node.lineno} of the parameters cell is not an assignment."
            )
        try:
            found[target.id] = ast.literal_eval(value)
        except (ValueError, AttributeError) as error:
            raise SettingsError(
                f"{path.name}: line {node.lineno} of the parameters cell must give a plain value "
                "(number, text, list, None)."
            ) from error
    return found


def check_parameters(notebook: Path | str, given: Mapping) -> dict:
    """Return `given` after checking every name and type against the notebook's defaults.

    papermill itself only warns of an unknown parameter, so that a misspelt one would run with
    the default value unnoticed.

    Raises
    ------
    SettingsError
        Naming every unknown name (with the nearest known one) and every value of another type.
    """
    declared = declared_parameters(notebook)
    problems = []
    checked = {}
    for name, value in given.items():
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(declared)}"
            problems.append(f"unknown parameter '{name}': {hint}")
        elif not _same_type(value, declared[name]):
            problems.append(
                f"parameter '{name}': expected {_type_name(declared[name])} such as "
                f"{declared[name]!r}, got {value!r}"
            )
        elif isinstance(declared[name], float) and value is not None:
            checked[name] = float(value)
        else:
            checked[name] = value
    if problems:
        end = "" if problems[-1].endswith("?") else "."
        raise SettingsError(f"{Path(notebook).name}: {'; '.join(problems)}{end}")
    return checked


def _same_type(value, default) -> bool:
    if default is None or value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, list | tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(default))


def _type_name(value) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(type(value), "a list" if isinstance(value, list | tuple) else "a value")


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
