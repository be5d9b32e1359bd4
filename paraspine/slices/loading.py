"""Load a cohort into memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from paraspine import preprocess, volumes
from paraspine.arrays import (
    GeometryError,
    LabelError,
    ManifestError,
    check_label_map,
    check_spacing,
    check_whole,
)
from paraspine.slices.data import Slices
from paraspine.slices.grid import check_one_grid, check_size, pair, resampled

__all__ = ["load"]


@dataclass
class _Item:
    """What one row of the manifest became."""

    images: np.ndarray  # (K, H, W) float32
    labels: np.ndarray  # (R, K, H, W) uint8
    rated: np.ndarray  # (R,) bool
    places: np.ndarray  # (K,) place of each slice in its volume
    spacing: tuple[float, float, float]


def load(
    cohort,
    *,
    size: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    center: Sequence[float] | None = None,
    preprocessing: preprocess.Preprocessing | None = None,
    cache: Path | str | None = None,
    label_only: bool = False,
    workers: int = 1,
    progress: bool = False,
) -> Slices:
    """Read all images and label maps of a cohort as axial slices on one grid.

    Each image is preprocessed on its own grid, scaled to [0, 1], and brought onto the common grid;
    label maps go there through class probabilities (`paraspine.volumes.resample_labels`). Volumes
    become their axial slices. Images that nobody rated are kept.

    Parameters
    ----------
    cohort : manifest.Cohort
        As `paraspine.manifest.read` gives it.
    size : (int, int), optional
        Pixels of the common grid, rows and columns.
    spacing : (float, float), optional
        Its spacing in mm. Size alone crops or pads about the centre; spacing alone keeps the field
        of view. Without both, images must share a size and a spacing.
    center : (float, float), optional
        Where the grid's centre lies, in mm from the image's (rows, columns): positive is posterior
        and to the patient's left.
    preprocessing : preprocess.Preprocessing, optional
        The default scales intensities only. The manifest's window is used where it names one.
    cache : str or Path, optional
        Folder of the cache of denoised and bias-corrected images.
    label_only : bool
        Of volumes, keep only the slices in which some rater marked something. Single slices are
        kept in any case.
    workers : int
        Threads that read and preprocess; the result does not depend on their number.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Slices
        In the manifest's order, slices of a volume from inferior to superior. Memory: 4 bytes per
        pixel for images and 1 per pixel and rater for labels, twice while reading.

    Raises
    ------
    ShapeError
        If images differ in size or spacing and no common grid was given.
    ManifestError
        If no slice remains.
    SettingsError
        If a setting is of the wrong kind or does not suit the kind of intensities.
    ImageError, LabelError, GeometryError
        If a file cannot be used.
    """
    workers = check_whole("workers", workers)
    if cohort.classes.num_classes > 256:
        raise LabelError(
            f"classes: expected at most 256 (labels are 8 bit), got {cohort.classes.num_classes}."
        )
    size, spacing, center = check_size(size), pair(spacing, "spacing"), pair(center, "center")
    if spacing is not None:
        spacing = check_spacing(spacing, 2)
    kind, window = preprocess.intensity_kind(cohort.metadata)
    settings = (preprocessing or preprocess.Preprocessing()).suited(kind, window)

    def read(row) -> _Item:
        return _read(cohort, row, size, spacing, center, settings, cache, label_only)

    rows = list(cohort.table.index)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        found = pool.map(read, rows)
        try:
            bar = tqdm(found, total=len(rows), desc="images", unit="image", disable=not progress)
            items = list(bar)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return _join(cohort, rows, items)


def _read(cohort, row, size, spacing, center, settings, cache, label_only: bool) -> _Item:
    classes = cohort.classes.num_classes
    image = preprocess.cached(cohort.image_path(row), settings, cache)
    common = resampled(image, size, spacing, center)
    labels = np.zeros((len(cohort.raters), *common.array.shape), dtype=np.uint8)
    rated = np.zeros(len(cohort.raters), dtype=bool)
    for r, name in enumerate(cohort.raters):
        path = cohort.label_path(row, name)
        if path is None:
            continue
        own = volumes.read_labels(path)
        if difference := volumes.geometry_difference(own, image):
            raise GeometryError(
                f"{path}: expected the grid of {cohort.table.loc[row, 'image']}, got {difference}; "
                "resample the label map onto its image."
            )
        check_label_map(own.array, classes, name=str(path))
        labels[r] = resampled(own, size, spacing, center, classes).array
        rated[r] = True
    places = np.arange(len(common.array))
    if label_only and len(places) > 1:
        places = places[labels.any(axis=(0, 2, 3))]
    return _Item(common.array[places], labels[:, places], rated, places, common.spacing)


def _join(cohort, rows: list, items: list) -> Slices:
    names = [str(cohort.table.loc[row, "image"]) for row in rows]
    counts = [len(item.places) for item in items]
    if not sum(counts):
        raise ManifestError(
            f"{cohort.path}: no slice remains of {len(rows)} images; with label_only, slices "
            "count only where some rater marked something."
        )
    spacing = check_one_grid(
        [item.images.shape[1:] for item in items], [item.spacing[1:] for item in items], names
    )
    height, width = items[0].images.shape[1:]
    raters = len(cohort.raters)
    images = np.empty((sum(counts), 1, height, width), dtype=np.float32)
    labels = np.empty((sum(counts), raters, height, width), dtype=np.uint8)
    rated = np.empty((sum(counts), raters), dtype=bool)
    start = 0
    thickness, places = [], []
    for i, item in enumerate(items):
        part = slice(start, start + counts[i])
        images[part, 0] = item.images
        labels[part] = np.moveaxis(item.labels, 1, 0)
        rated[part] = item.rated
        thickness += [item.spacing[0]] * counts[i]
        places += item.places.tolist()
        start = part.stop
        items[i] = None  # its arrays are copied: let them go
    kept = [c for c in cohort.table.columns if not c.startswith(("rater_", "sha256_"))]
    table = cohort.table.loc[np.repeat(rows, counts), kept].reset_index(drop=True)
    table = table.rename(
        columns={name: f"manifest_{name}" for name in ("slice", "row", "thickness")}
    )
    table.insert(list(table.columns).index("image") + 1, "slice", places)
    table["row"] = np.repeat(rows, counts)
    table["thickness"] = thickness
    return Slices(
        images=images,
        labels=labels,
        rated=rated,
        table=table,
        classes=cohort.classes,
        raters=cohort.raters,
        spacing=spacing,
        source=cohort.source,
        synthetic=cohort.synthetic,
    )
