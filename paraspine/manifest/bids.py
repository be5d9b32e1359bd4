"""Make a manifest from a BIDS folder with label maps among its derivatives."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import defaultdict
from pathlib import Path

from paraspine import volumes
from paraspine.anatomy import ClassTable
from paraspine.arrays import ManifestError, SettingsError
from paraspine.manifest.problem import Problem, error
from paraspine.manifest.writing import destination, row, save

__all__ = ["from_bids"]

_IGNORED = ("desc", "space", "res", "den", "label")  # what a label map's name may add
_IMAGE = r"\.nii(\.gz)?"


def from_bids(folder, output=None, derivatives=None, *, suffix: str = "T2w") -> Path:
    """Write a manifest for ``sub-*/[ses-*/]anat/*_T2w.nii.gz`` and its raters' label maps.

    Label maps are ``derivatives/*/sub-*/[ses-*/]anat/*_desc-<rater>_dseg.nii.gz``; without
    ``desc-`` the derivative's folder names the rater. A label map belongs to the image with the
    same entities (sub, ses, acq, run, ...). Age, sex and centre come from ``participants.tsv``,
    class names from ``dseg.tsv`` (columns ``index`` and ``name``) or ``dseg.json`` in a
    derivative's folder; without either, classes are called after their numbers.

    Parameters
    ----------
    folder : str or Path
        The BIDS data set.
    output : str or Path, optional
        The manifest to write, in `folder` or above it; ``data_manifest.csv`` in `folder` if left
        out. The JSON file is written beside it.
    derivatives : str or Path or sequence, optional
        Names of the derivatives to take, or their folders; all if left out.
    suffix : str
        The images' suffix, such as ``T2w``.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    ManifestError
        If there are no images or label maps, or names do not fit together.
    SettingsError
        If the folder is missing or the manifest would lie where it cannot reach the images.
    """
    folder = Path(folder)
    places = _derivatives(folder, derivatives) if folder.is_dir() else []
    output = destination(folder, output, "BIDS data set", places)
    images = _images(folder, suffix)
    labels, found = _labels(folder, places, images, suffix)
    if found:
        raise error(folder, found)
    raters = list(dict.fromkeys(r for _, r in sorted(labels)))
    people, columns = _participants(folder)
    rows = [
        _row(entities, path, {r: labels.get((i, r)) for r in raters}, people, columns, output)
        for i, (entities, path) in enumerate(images)
    ]
    return save(output, rows, _classes(places, list(labels.values())), _title(folder))


def _derivatives(folder: Path, names) -> list[Path]:
    base = folder / "derivatives"
    if names is None:
        return sorted(p for p in base.glob("*") if p.is_dir() and any(p.glob("sub-*")))
    names = [names] if isinstance(names, str | os.PathLike) else list(names)
    places = [base / n if (base / n).is_dir() else Path(n) for n in names]
    if missing := [str(p) for p in places if not p.is_dir()]:
        there = ", ".join(p.name for p in sorted(base.glob("*"))) or "none"
        raise SettingsError(
            f"derivatives: no folder {', '.join(missing)}; below {base} there are: {there}."
        )
    return places


def _files(folder: Path, pattern: str) -> list[Path]:
    """Files of ``anat`` folders below subjects and sessions, in order."""
    anat = [*folder.glob("sub-*/anat/*"), *folder.glob("sub-*/ses-*/anat/*")]
    return sorted(p for p in anat if re.fullmatch(pattern, p.name))


def _entities(name: str) -> dict[str, str]:
    parts = (part.partition("-") for part in name.split(".")[0].split("_"))
    return {key: value for key, dash, value in parts if dash}


def _images(folder: Path, suffix: str) -> list[tuple[dict[str, str], Path]]:
    found = _files(folder, rf"sub-.*_{re.escape(suffix)}{_IMAGE}")
    if not found:
        others = sorted(
            {p.name.split(".")[0].split("_")[-1] for p in _files(folder, ".*" + _IMAGE)}
        )
        there = f"; there are images that end in _{', _'.join(others)}" if others else ""
        raise ManifestError(
            f"{folder}: found no image sub-*/anat/*_{suffix}.nii.gz or "
            f"sub-*/ses-*/anat/*_{suffix}.nii.gz{there}. Name the top folder of the data set, and "
            "the images' suffix if it is another one."
        )
    return [(_entities(p.name), p) for p in found]


def _labels(
    folder: Path, places: list[Path], images: list[tuple[dict[str, str], Path]], suffix: str
) -> tuple[dict[tuple[int, str], Path], list[Problem]]:
    """Label map of each image (by number) and rater, and what does not fit."""
    files = [(p, f) for p in places for f in _files(p, rf"sub-.*_dseg{_IMAGE}")]
    if not files:
        raise ManifestError(
            f"{folder}: found {len(images)} images but no label map "
            "derivatives/*/sub-*/anat/*_desc-<rater>_dseg.nii.gz. Rename the label maps so, or "
            "write the manifest by hand: a CSV with the columns subject, image and rater_<name>."
        )
    homes = defaultdict(set)
    for place, file in files:
        homes[_entities(file.name).get("desc")].add(place)
    labels, found = {}, []
    for place, file in files:
        entities = _entities(file.name)
        rater = entities.get("desc")
        if rater is None:
            rater = place.name
        elif len(homes[rater]) > 1:  # the same name in several derivatives: another person?
            rater = f"{place.name}-{rater}"
        number, why = _match(entities, images)
        shown = str(file.relative_to(place.parent))
        if number is None:
            remedy = f"Give it the name of its *_{suffix} image, with _desc-<rater>_dseg added."
            found.append(Problem(None, None, shown, why, remedy))
        elif (before := labels.setdefault((number, rater), file)) != file:
            why = f"rater {rater} has two label maps of this image, also {before.name}"
            remedy = "Keep one, or give them different desc- entities."
            found.append(Problem(None, None, shown, why, remedy))
    return labels, found


def _match(entities: dict[str, str], images) -> tuple[int | None, str]:
    """Number of the image that a label map belongs to, or why there is none."""
    own = {k: v for k, v in entities.items() if k not in _IGNORED}
    exact = [i for i, (e, _) in enumerate(images) if own == e]
    fits = exact or [i for i, (e, _) in enumerate(images) if own.items() <= e.items()]
    if len(fits) == 1:
        return fits[0], ""
    if not fits:
        return None, "no image has the same entities"
    names = ", ".join(images[i][1].name for i in fits[:3])
    return None, f"fits {len(fits)} images ({names}{', ...' if len(fits) > 3 else ''})"


def _participants(folder: Path) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """What participants.tsv says of each subject, and its names for our columns."""
    path = folder / "participants.tsv"
    if not path.is_file():
        return {}, {}
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise ManifestError(f"{path}: expected UTF-8; save it again as UTF-8.") from broken
    records = list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"))
    header = [h for h in (records[0] if records else {}) if h]
    if records and "participant_id" not in header:
        raise ManifestError(
            f"{path}: expected a column participant_id, found {', '.join(header)}; is the file "
            "parted by tabs?"
        )
    known = {"age": ("age",), "sex": ("sex",), "center": ("center", "centre", "site")}
    columns = {
        ours: match
        for ours, names in known.items()
        if (match := next((h for h in header if h.lower() in names), None))
    }
    return {r["participant_id"].removeprefix("sub-"): r for r in records}, columns


def _row(entities, path, labels, people, columns, output: Path) -> dict[str, str]:
    more = {"session": entities["ses"]} if "ses" in entities else {}
    person = people.get(entities["sub"], {})
    for ours, theirs in columns.items():
        value = (person.get(theirs) or "").strip()
        value = value.rstrip("+") if ours == "age" else value  # BIDS hides ages above 89 as 89+
        more[ours] = "" if value.lower() in ("n/a", "na") else value
    return row(f"sub-{entities['sub']}", path, labels, output, **more)


def _classes(places: list[Path], labels: list[Path]) -> ClassTable:
    """Class names from dseg.tsv or dseg.json, else made from the numbers that occur."""
    for place in places:
        for path in (*sorted(place.glob("*dseg.tsv")), *sorted(place.glob("*dseg.json"))):
            if names := _class_names(path):
                return _table(names, path)
    highest = max(int(volumes.read_labels(p).array.max(initial=0)) for p in labels)
    return ClassTable(("background", *(f"class {i}" for i in range(1, max(highest, 1) + 1))))


def _class_names(path: Path) -> dict[int, str]:
    """Numbers and names; empty where a JSON file names none."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix == ".tsv":
            records = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t")
            return {int(r["index"]): r["name"].strip() for r in records}
        block = json.loads(text)
        block = block.get("LabelMap", block.get("classes", block))
        if block and all(isinstance(v, int) for v in block.values()):
            return {v: k for k, v in block.items()}
        numbers = {k: v for k, v in block.items() if str(k).isdigit()}
        return {int(k): str(v) for k, v in numbers.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as broken:
        raise ManifestError(
            f"{path}: cannot be read as a table of classes ({broken}); expected columns 'index' "
            'and \'name\' parted by tabs, or JSON such as {"1": "right MF"}.'
        ) from broken


def _table(names: dict[int, str], path: Path) -> ClassTable:
    names = {0: "background"} | names
    if sorted(names) != list(range(len(names))):
        raise ManifestError(
            f"{path}: expected the class numbers 0 to {len(names) - 1} without a gap, found "
            f"{sorted(names)}; renumber the label maps, or name the numbers between as well."
        )
    ordered = tuple(names[i] for i in range(len(names)))
    try:
        return ClassTable(ordered, _pairs(ordered))
    except ValueError as broken:
        raise ManifestError(f"{path}: {broken}") from broken


def _pairs(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names that become each other when left and right trade places."""
    swap = {"left": "right", "right": "left", "l": "r", "r": "l"}

    def mirrored(name: str) -> str:
        words = re.split(r"([\W_]+)", name)
        return "".join(swap.get(w.lower(), w.lower()) for w in words)

    lower = {n.lower(): n for n in names[1:]}
    pairs = []
    for name in names[1:]:
        other = lower.get(mirrored(name))
        if other and other != name and (other, name) not in pairs:
            pairs.append((name, other))
    return tuple(pairs)


def _title(folder: Path) -> str:
    path = folder / "dataset_description.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["Name"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.resolve().name
