"""Parameters of a notebook: read and checked."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import MappingProxyType

from paraspine.arrays import SettingsError

__all__ = [
    "CHOSEN",
    "TRAINING",
    "check_parameters",
    "declared_parameters",
    "training_settings",
]

#: Parameter that holds settings of trainings and samples that differ from the profile's.
TRAINING = "training"


#: Notebooks that take such settings.
WITH_SETTINGS = ("03_train", "04_sample")


#: Parameters of these notebooks that every run is given, so that no profile can.
CHOSEN = (
    *("profile", "run_folder", "manifest_path", "train_runs"),
    *("model", "fusion", "seed", "method", "members"),
)


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
        found = path.stat()
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: no such notebook.") from error
    return deepcopy(_declared(path, found.st_ino, found.st_size, found.st_mtime_ns))


@cache
def _declared(path: Path, *_changed: int) -> dict:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
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
    the default value unnoticed. The settings in ``training`` are checked against the notebooks
    that take them (`training_settings`).

    Raises
    ------
    SettingsError
        Naming every unknown name (with the nearest known one) and every value of another type.
    """
    declared = declared_parameters(notebook)
    checked, problems = _checked(declared, given)
    if checked.get(TRAINING):
        settings = training_settings(notebook)
        checked[TRAINING], more = _checked(settings, checked[TRAINING], outside=declared)
        problems += more
    if problems:
        end = "" if problems[-1].endswith("?") else "."
        raise SettingsError(f"{Path(notebook).name}: {'; '.join(problems)}{end}")
    return checked


def training_settings(notebook: Path | str) -> dict:
    """Names and defaults of what a notebook's parameter ``training`` can hold.

    Those of ``03_train`` and ``04_sample`` beside it, without what every run is given (`CHOSEN`)
    and what the notebook declares itself.
    """
    folder, own = Path(notebook).parent, declared_parameters(notebook)
    found = {}
    for name in WITH_SETTINGS:
        found |= declared_parameters(folder / f"{name}.ipynb")
    return {k: v for k, v in found.items() if k not in CHOSEN and k not in own}


def _checked(declared: Mapping, given: Mapping, outside: Mapping = MappingProxyType({})):
    """Values that fit what is declared, and what is wrong with the others.

    Names `outside` are given elsewhere: beside ``training``, not in it.
    """
    checked, problems = {}, []
    for name, value in given.items():
        if name in outside and name not in declared:
            problems.append(f"'{name}' is a parameter of the notebook itself, not of {TRAINING}")
        elif name not in declared:
            near = difflib.get_close_matches(str(name), declared, n=1)
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
    return checked, problems


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
    if isinstance(value, dict):
        return "names with values"
    return names.get(type(value), "a list" if isinstance(value, list | tuple) else "a value")
