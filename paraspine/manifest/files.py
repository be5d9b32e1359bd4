"""Checks of the files that a manifest names: readable, on one grid, plausible values."""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from paraspine import storage, volumes
from paraspine.anatomy import ClassTable
from paraspine.arrays import ParaspineError
from paraspine.manifest.problem import Problem
from paraspine.manifest.tables import Source, is_inside, rater_names
from paraspine.volumes.parts import parts

__all__ = ["check"]


@dataclass
class _Row:
    """One row, and what its files are found to be."""

    number: int
    cells: dict
    source: Source
    problems: list[Problem] = field(default_factory=list)
    image: str | None = None  # checksum of the voxels
    labels: dict[str, str] = field(default_factory=dict)  # the same per rater
    empty: list[str] = field(default_factory=list)  # raters who saw nothing
    changed: int = 0  # generated files whose checksum is another
    thick: int = 0  # axis along which voxels are longest; 0 is the slice axis

    def fail(self, column: str, problem: str, remedy: str) -> None:
        value = self.cells[column]
        self.problems.append(Problem(self.number, column, value, problem, remedy))


def check(
    table: pd.DataFrame,
    classes: ClassTable | None,
    source: Source,
    *,
    check_sums: bool = True,
    workers: int = 0,
) -> tuple[list[Problem], list[str]]:
    """Open every file of the table; returns problems and notes."""
    workers = workers or min(8, os.cpu_count() or 1)
    jobs = [
        _Row(number, dict(zip(table.columns, values, strict=True)), source)
        for number, values in zip(
            source.rows, table.itertuples(index=False, name=None), strict=True
        )
    ]
    with ThreadPoolExecutor(workers) as pool:
        rows = list(pool.map(lambda row: _inspect(row, classes, check_sums), jobs))
    return [p for row in rows for p in row.problems] + _same_image(rows), _notes(rows)


def _inspect(row: _Row, classes: ClassTable | None, check_sums: bool) -> _Row:
    image = _open(row, "image", volumes.read, check_sums)
    if image is not None:
        row.image = volumes.checksum(image)
        spacing = np.array(image.spacing)
        row.thick = int(spacing.argmax()) if spacing.max() > 1.5 * spacing[0] else 0
        _check_image(row, image)
    for rater in rater_names(row.cells):
        column = f"rater_{rater}"
        labels = _open(row, column, volumes.read_labels, check_sums)
        if labels is not None:
            row.labels[rater] = volumes.checksum(labels)
            if not labels.array.any():
                row.empty.append(rater)
            _check_labels(row, column, labels, image, classes)
    return row


def _open(row: _Row, column: str, reader, check_sums: bool) -> volumes.Volume | None:
    """Read one file and compare its checksum; None for blank cells and unreadable files."""
    value = row.cells[column]
    if not isinstance(value, str) or not is_inside(value):
        return None
    path = row.source.root / value
    try:
        volume = reader(path)
    except ParaspineError as broken:
        problem, remedy = _two_parts(str(broken).removeprefix(f"{path}: "))
        if not path.exists():
            remedy = "Check the spelling (capitals count) and where the file lies."
            if "\\" in value:
                remedy = "Write the path with '/' in place of '\\'."
            elif row.source.generated:
                remedy = f"These images are generated; make them: {row.source.regenerate}"
        row.fail(column, problem, remedy)
        return None
    if check_sums:
        _check_sum(row, column, path, volume)
    return volume


def _two_parts(message: str) -> tuple[str, str]:
    """A message of the volumes room as problem and remedy."""
    for mark in (". ", "; "):
        if mark in message:
            problem, _, remedy = message.partition(mark)
            return problem, remedy[:1].upper() + remedy[1:]
    return message.rstrip("."), "Export the file again."


def _check_sum(row: _Row, column: str, path: Path, volume: volumes.Volume) -> None:
    """Compare with the checksum of the file's bytes or of its voxels: either will do."""
    expected = row.cells.get(f"sha256_{column.removeprefix('rater_')}")
    if not isinstance(expected, str) or len(expected) != 64:
        return
    voxels = volumes.checksum(volume)
    found = voxels
    if len(parts(path)) == 1:  # with voxels in a file of their own, the header's sum says little
        found = storage.sha256(path)
    if expected.lower() in (found, voxels):
        return
    if row.source.generated:  # made on this machine, which may round differently: a note
        row.changed += 1
        return
    problem = f"the file's checksum {found[:12]}... is not the manifest's {expected[:12]}..."
    remedy = (
        "The file has changed since the manifest was written: restore it or, if the change is "
        f"meant, write {found} in the manifest."
    )
    row.fail(column, problem, remedy)


def _check_image(row: _Row, image: volumes.Volume) -> None:
    array = image.array
    if bad := int(array.size - np.isfinite(array).sum()):
        problem = f"{bad} of {array.size} voxels are NaN or infinite"
        remedy = "Replace them, for example by the value of air, and write the image again."
        row.fail("image", problem, remedy)
    elif array.min() == array.max():
        problem = f"every voxel is {array.flat[0]:g}: there is no picture"
        row.fail("image", problem, "Export the image again, or remove the row.")
    if min(array.shape[1:]) == 1:
        across = "front to back" if array.shape[1] == 1 else "right to left"
        problem = f"not an axial slice: only one voxel from {across}"
        remedy = "Name an axial image; single sagittal or coronal slices cannot be used."
        row.fail("image", problem, remedy)


def _check_labels(
    row: _Row,
    column: str,
    labels: volumes.Volume,
    image: volumes.Volume | None,
    classes: ClassTable | None,
) -> None:
    if image is not None and (difference := volumes.geometry_difference(labels, image)):
        remedy = "Export the label map on the image's grid, or resample it (volumes.labels_onto)."
        if labels.array.shape == image.array.shape:
            remedy += (
                " If the voxels do belong together and one header is wrong, write that file again "
                "with the other's affine (volumes.from_array)."
            )
        row.fail(column, f"the label map does not lie on its image: {difference}", remedy)
    if classes is None:
        return
    present = np.unique(labels.array)
    outside = present[(present < 0) | (present >= classes.num_classes)]
    if len(outside):
        shown = ", ".join(map(str, outside[:6])) + (", ..." if len(outside) > 6 else "")
        names = ", ".join(f"{i} {n}" for i, n in enumerate(classes.names))
        problem = f"label values {shown} are not among the classes ({names})"
        remedy = "Name these classes in the JSON file, or renumber the label map."
        row.fail(column, problem, remedy)


def _same_image(rows: list[_Row]) -> list[Problem]:
    """The same picture under two subjects: it could stand on both sides of a split."""
    first: dict[str, _Row] = {}
    found = []
    for row in rows:
        if row.image is None:
            continue
        before = first.setdefault(row.image, row)
        a, b = before.cells["subject"], row.cells["subject"]
        if a != b and isinstance(a, str) and isinstance(b, str):
            problem = f"the same picture, voxel for voxel, as row {before.number} (subject {a})"
            remedy = "Remove one of the two, or give both rows the same subject."
            found.append(Problem(row.number, "image", row.cells["image"], problem, remedy))
    return found


def _notes(rows: list[_Row]) -> list[str]:
    notes = []
    if changed := [r.number for r in rows if r.changed]:
        notes.append(
            f"{sum(r.changed for r in rows)} files have another checksum than the manifest states: "
            f"rows {_some(changed)}. They are generated: delete them and make them again "
            f"({rows[0].source.regenerate}). If they differ again, this machine rounds or "
            "compresses differently, and results may differ in the last digits."
        )
    if empty := sum(len(r.empty) for r in rows):
        maps = sum(len(r.labels) for r in rows)
        notes.append(
            f"{empty} of {maps} label maps are all background: the rater looked and saw nothing."
        )
    copies = defaultdict(list)
    for row in rows:
        if row.image is not None:
            copies[row.cells["subject"], row.image].append(row.number)
    if again := [n for numbers in copies.values() for n in numbers[1:]]:
        notes.append(
            f"The same picture stands twice within a subject and counts twice: rows {_some(again)}."
        )
    raters = rater_names(rows[0].cells)
    for i, a in enumerate(raters):
        for b in raters[i + 1 :]:
            both = [r for r in rows if a in r.labels and b in r.labels and a not in r.empty]
            if len(both) > 1 and all(r.labels[a] == r.labels[b] for r in both):
                notes.append(
                    f"Raters {a} and {b} agree in every voxel of {len(both)} images: is one a copy?"
                )
    if thick := [r.number for r in rows if r.thick]:
        notes.append(
            "Voxels are longest within the axial plane, so these images look sagittal or coronal; "
            f"they are read as axial slices: rows {_some(thick)}."
        )
    return notes


def _some(numbers: list[int], most: int = 8) -> str:
    return ", ".join(map(str, numbers[:most])) + (", ..." if len(numbers) > most else "")
