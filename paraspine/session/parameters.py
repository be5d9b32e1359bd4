"""Parameters of a notebook: read and checked."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping
from pathlib import Path

from paraspine.arrays import SettingsError

__all__ = ["declared_parameters", "check_parameters"]


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
