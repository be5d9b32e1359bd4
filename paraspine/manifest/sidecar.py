"""The JSON file beside the manifest: classes, mirror pairs, what the intensities are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from paraspine.anatomy import ClassTable
from paraspine.manifest.problem import Problem

__all__ = ["load", "markup", "notes", "parse"]

_EXAMPLE = (
    '{"classes": {"0": "background", "1": "right MF", "2": "left MF"}, '
    '"mirror_pairs": [["right MF", "left MF"]], "intensity": {"kind": "MR", "window": null}}'
)
_KINDS = ("MR", "CT", "other")


def parse(path: Path):
    """Content of a JSON file; `ValueError` where it is none or an object has a key twice."""

    def once(pairs):
        keys = [key for key, _ in pairs]
        if again := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"the key {', '.join(map(repr, again))} stands twice in an object")
        return dict(pairs)

    return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=once)


def load(path: Path) -> tuple[dict, ClassTable | None, list[Problem]]:
    """Metadata, class table (None if there is no good one) and what is wrong."""

    def fail(key, value, problem, remedy):
        return Problem(None, key, value, f"{path.name}: {problem}", remedy)

    if not path.is_file():
        problem = "there is no such file beside the manifest"
        remedy = f"Write one that names the classes, such as {_EXAMPLE}"
        return {}, None, [fail(None, None, problem, remedy)]
    try:
        metadata = parse(path)
    except UnicodeDecodeError as broken:
        problem = f"byte {broken.start} is not UTF-8"
        return {}, None, [fail(None, None, problem, "Save the file as UTF-8.")]
    except json.JSONDecodeError as broken:
        problem = f"line {broken.lineno}, column {broken.colno}: not valid JSON ({broken.msg})"
        remedy = "Correct that place; often it is a comma or a quotation mark too many or too few."
        return {}, None, [fail(None, None, problem, remedy)]
    except ValueError as twice:
        return {}, None, [fail(None, None, str(twice), "Remove all but one.")]
    if not isinstance(metadata, dict):
        problem = f"expected an object in braces, found a {type(metadata).__name__}"
        return {}, None, [fail(None, None, problem, f"Write for example {_EXAMPLE}")]
    found = []
    try:
        classes = ClassTable.from_json(metadata)
    except (ValueError, TypeError, KeyError, AttributeError) as broken:
        classes = None
        key, _, rest = str(broken).rstrip(".").partition(": ")
        known = {"classes": "classes", "mirror pairs": "mirror_pairs", "colours": "colours"}
        if key not in known:
            key, rest = "mirror pairs", f"expected pairs of class names ({broken})"
        found.append(fail(known[key], None, rest, f"Write for example {_EXAMPLE}"))
    if not isinstance(metadata.get("synthetic", False), bool):
        value = repr(metadata["synthetic"])
        found.append(fail("synthetic", value, "expected true or false", "Write it unquoted."))
    found += [
        fail(key, repr(metadata[key]), "expected words", "Put the words in quotation marks.")
        for key in ("name", "source")
        if not isinstance(metadata.get(key, ""), str)
    ]
    found += _intensity(metadata.get("intensity"), fail)
    return metadata, classes, found


def _intensity(block, fail) -> list[Problem]:
    remedy = 'Write for example "intensity": {"kind": "CT", "window": [-150, 250]}'
    if block is None:
        return []
    if not isinstance(block, dict):
        return [fail("intensity", repr(block), "expected an object in braces", remedy)]
    found = []
    if (kind := block.get("kind", "other")) not in _KINDS:
        problem = f"expected one of {', '.join(_KINDS)}"
        found.append(fail("intensity.kind", repr(kind), problem, remedy))
    window = block.get("window")
    if window is not None and not (
        isinstance(window, list)
        and len(window) == 2
        and all(isinstance(w, int | float) and not isinstance(w, bool) for w in window)
        and window[0] < window[1]
    ):
        problem = "expected [low, high] with low below high, or null"
        found.append(fail("intensity.window", repr(window), problem, remedy))
    return found


def markup(words: Iterable[str]) -> list[str]:
    """A note on names that hold HTML or a link to script."""
    found = [w for w in dict.fromkeys(words) if re.search(r"<[a-z!/]|javascript:", w, re.I)]
    if not found:
        return []
    shown = ", ".join(map(repr, found[:5])) + (", ..." if len(found) > 5 else "")
    return [f"Names or words that hold markup: {shown}. Write them as plain text."]


def notes(metadata: dict) -> list[str]:
    """What a good JSON file notes, and what it leaves unsaid."""
    said = [metadata["note"]] if isinstance(metadata.get("note"), str) else []
    if metadata.get("intensity"):
        return said
    return [
        *said,
        'The JSON file does not say what the intensities are ("intensity": {"kind": "MR"}); they '
        "are taken as they come.",
    ]
