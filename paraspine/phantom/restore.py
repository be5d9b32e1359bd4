"""Restore the settings and the images of a committed phantom manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from paraspine.arrays import ManifestError, check_whole
from paraspine.phantom.files import VERSION, check_folder, jobs_of, paths_of, run
from paraspine.phantom.settings import protocol_from
from paraspine.storage import sha256
from paraspine.volumes import checksum, read

__all__ = ["Materialised", "materialise", "settings_of"]


class Materialised(list):
    """The files that `materialise` wrote; ``notes`` holds a sentence per checksum that differs."""

    def __init__(self, files=()):
        super().__init__(files)
        self.notes: list[str] = []


def settings_of(manifest) -> dict:
    """The settings of a phantom manifest, for `simulate` and `true_probabilities`.

    Parameters
    ----------
    manifest : str or Path
        ``data_manifest.csv`` or the json beside it.

    Raises
    ------
    ManifestError
        If the manifest was not made by the phantom, or by another version of it.
    """
    generator = _generator(Path(manifest))
    return {k: v for k, v in generator.items() if k not in ("subjects", "images")}


def materialise(manifest, *, workers: int = 1, progress: bool = False) -> Materialised:
    """Make the images and label maps of a committed phantom manifest that are not there yet.

    Files that are there are left as they are; where nothing is missing, only names are looked at.
    A new file whose checksum differs from the
    manifest's is kept and named in the result's ``notes``.

    Parameters
    ----------
    manifest : str or Path
        ``data_manifest.csv``; the json beside it holds the generator's settings.
    workers : int
        Number of processes.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Materialised
        A list of the files that were written, with ``notes``, one sentence per difference.

    Raises
    ------
    ManifestError
        If the manifest is missing, was not made by the phantom or names images that it did not
        make.
    """
    check_whole("workers", workers, 1, 1024)
    path = Path(manifest)
    generator = _generator(path)
    images = generator.pop("images")
    subjects = generator.pop("subjects")
    protocol, config = protocol_from(generator)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    root = path.parent
    columns = ["image", *(c for c in table.columns if c.startswith("rater_"))]
    wanted = [
        (row, [c for c in columns if row[c] and not (root / row[c]).is_file()])
        for row in table.to_dict("records")
    ]
    wanted = [(row, absent) for row, absent in wanted if absent]
    result = Materialised()
    if not wanted:
        return result
    known = {}
    for index, level in jobs_of(subjects, protocol, config):
        paths = paths_of(index, level, images, protocol)
        known[paths["image"]] = (index, level, paths)
    jobs = []
    for row, absent in wanted:
        index, level, paths = known.get(row["image"], (None, None, {}))
        if strange := [row[c] for c in absent if paths.get(c) != row[c]]:
            raise ManifestError(
                f"{path}: {', '.join(strange)} is missing and its generator does not make it; make "
                "the manifest again with phantom.make_cohort, or put the file there."
            )
        jobs.append((index, level, tuple(absent)))
    rows = run(jobs, root, images, protocol, config, workers, progress, "phantom images")
    for (row, absent), made in zip(wanted, rows, strict=True):
        for column in absent:
            if not made[column]:
                raise ManifestError(
                    f"{path}: {row[column]} is missing, and {column} did not rate this image; "
                    "leave the cell blank, or make the manifest again with phantom.make_cohort."
                )
            result.append(root / row[column])
            given = row.get(f"sha256_{column.removeprefix('rater_')}", "")
            if given and given not in _checksums(result[-1]):
                result.notes.append(
                    f"{row[column]}: made anew, but its checksum differs from the manifest's; "
                    "numbers may differ in the last digits from those published with it. Make "
                    "the manifest again with phantom.make_cohort to record this machine's images."
                )
    return result


def _generator(path: Path) -> dict:
    """The generator block of a manifest, checked."""
    beside = path.with_suffix(".json")
    for needed in (path, beside):
        if not needed.is_file():
            raise ManifestError(f"{needed}: no such file; name a phantom's data_manifest.csv.")
    try:
        block = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ManifestError(f"{beside}: not valid JSON ({error}).") from error
    generator = block.get("generator") if isinstance(block, dict) else None
    if not isinstance(generator, dict) or generator.get("name") != "phantom":
        raise ManifestError(
            f"{beside}: no generator block of the phantom, so its images cannot be made; put the "
            "files where the manifest says."
        )
    generator = dict(generator)
    generator.pop("name")
    if (version := generator.pop("version", None)) != VERSION:
        raise ManifestError(
            f"{beside}: made by version {version} of the phantom, this is version {VERSION}; make "
            "the manifest again with phantom.make_cohort."
        )
    if missing_keys := {"subjects", "images"} - set(generator):
        raise ManifestError(f"{beside}: the generator block lacks {sorted(missing_keys)}.")
    protocol_from({k: v for k, v in generator.items() if k not in ("subjects", "images")})
    check_whole("subjects", generator["subjects"], 1, 999)
    generator["images"] = check_folder(generator["images"])
    return generator


def _checksums(path: Path) -> tuple[str, str]:
    """Of the voxels, which does not depend on the compressor, and of the file's bytes."""
    return checksum(read(path)), sha256(path)
