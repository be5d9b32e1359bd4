"""Write a cohort with its manifest, and bring back the images of a committed manifest."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path, PurePosixPath

import pandas as pd

from paraspine.anatomy import LEVELS
from paraspine.arrays import ManifestError, SettingsError
from paraspine.phantom.settings import Knobs, Protocol, knobs_from, protocol_from
from paraspine.phantom.simulate import picture, slug
from paraspine.phantom.subjects import draw, missing
from paraspine.volumes import checksum, read, write, write_bytes

__all__ = ["make_cohort", "materialise", "settings_of"]

_VERSION = 1


def make_cohort(
    folder,
    subjects: int = 24,
    seed: int = 0,
    *,
    raters: int = 3,
    size=(256, 256),
    spacing=(0.7, 0.7),
    levels=LEVELS,
    kind: str = "slices",
    slice_spacing: float = 5.0,
    centers: int = 3,
    psoas: bool = False,
    images: str = "data/phantom",
    workers: int = 1,
    progress: bool = False,
    **knobs,
) -> Path:
    """Write a synthetic cohort: images, raters' label maps, manifest.

    The same arguments give the same bytes, for any number of workers; a longer cohort begins with
    the shorter one.

    Parameters
    ----------
    folder : str or Path
        Where ``data_manifest.csv`` and ``data_manifest.json`` go.
    subjects : int
        Number of subjects.
    seed : int
        Everything random follows from it.
    raters : int
        Number of raters, named a, b, c, ...
    size : tuple of 2 int
        Rows and columns of a slice.
    spacing : tuple of 2 float
        Pixel spacing (mm), rows and columns.
    levels : sequence of str
        Which of the six levels are imaged; all are in a volume.
    kind : {"slices", "volumes"}
        One image per level, or one volume from S1 to L1 per subject.
    slice_spacing : float
        Distance (mm) of a volume's slices.
    centers : int
        Number of centres, which differ in noise and coil.
    psoas : bool
        Rate the psoas muscles as well.
    images : str
        Folder of the images, relative to `folder`.
    workers : int
        Number of processes.
    progress : bool
        Show a progress bar.
    **knobs
        Fields of `Knobs`.

    Returns
    -------
    Path
        The manifest. Its column ``fat`` is the true mean fat fraction of the image's muscles.

    Raises
    ------
    SettingsError
        For an unknown or impossible setting.
    """
    protocol = Protocol(
        seed=seed, raters=raters, size=size, spacing=spacing, levels=levels, kind=kind,
        slice_spacing=slice_spacing, centers=centers, psoas=psoas,
    )  # fmt: skip
    turned = knobs_from(knobs)
    _whole("subjects", subjects, 1, 999)
    _whole("workers", workers, 1, 1024)
    images = _relative(images)
    root = Path(folder)
    jobs = _jobs(subjects, protocol, turned)
    if not jobs:
        raise SettingsError("missing_slices: every slice of this cohort is missing; lower it.")
    rows = list(_run(jobs, root, images, protocol, turned, workers, progress, "phantom cohort"))
    table = pd.DataFrame(rows)
    if kind == "volumes":
        table = table.drop(columns="level")
    generator = {"name": "phantom", "version": _VERSION, "subjects": subjects, "images": images}
    generator |= {k: _plain(v) for k, v in dataclasses.asdict(protocol).items()}
    generator |= dataclasses.asdict(turned)
    block = {
        "name": f"synthetic phantom, {subjects} subjects",
        "synthetic": True,
        "source": "synthetic phantom",
        **protocol.classes.to_json(),
        "intensity": {"kind": "MR", "window": None},
        "generator": generator,
    }
    root.mkdir(parents=True, exist_ok=True)
    text = json.dumps(block, indent=2, ensure_ascii=False) + "\n"
    write_bytes(root / "data_manifest.json", text.encode())
    stream = io.StringIO()
    table.to_csv(stream, index=False, lineterminator="\n", float_format="%.4f")
    return write_bytes(root / "data_manifest.csv", stream.getvalue().encode())


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
    """Make the images of a committed phantom manifest that are not there yet.

    Where nothing is missing, this looks at names only. A new file whose checksum differs from the
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
    _whole("workers", workers, 1, 1024)
    path = Path(manifest)
    generator = _generator(path)
    images = generator.pop("images")
    subjects = generator.pop("subjects")
    protocol, knobs = protocol_from(generator)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    root = path.parent
    columns = ["image", *(c for c in table.columns if c.startswith("rater_"))]
    absent = [
        any(row[c] and not (root / row[c]).is_file() for c in columns)
        for row in table.to_dict("records")
    ]
    result = Materialised()
    if not any(absent):
        return result
    known = {
        _paths(index, level, images, protocol)["image"]: (index, level)
        for index, level in _jobs(subjects, protocol, knobs)
    }
    jobs = []
    for row in table[absent].to_dict("records"):
        if row["image"] not in known:
            raise ManifestError(
                f"{path}: {row['image']} is missing and its generator does not make it; make the "
                "manifest again with phantom.make_cohort, or put the file there."
            )
        jobs.append(known[row["image"]])
    made = _run(jobs, root, images, protocol, knobs, workers, progress, "phantom images")
    for row, new in zip(table[absent].to_dict("records"), made, strict=True):
        result.extend(root / new[c] for c in columns if new.get(c))
        for column in columns:
            wanted = row.get(f"sha256_{column.removeprefix('rater_')}", "")
            if wanted and wanted not in _checksums(root / new[column]):
                result.notes.append(
                    f"{new[column]}: made anew, but its checksum differs from the manifest's; "
                    "numbers may differ in the last digits from those published with it. Make "
                    "the manifest again with phantom.make_cohort to record this machine's images."
                )
    return result


class Materialised(list):
    """The files that `materialise` wrote; ``notes`` holds a sentence per checksum that differs."""

    def __init__(self, files=()):
        super().__init__(files)
        self.notes: list[str] = []


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
    if (version := generator.pop("version", None)) != _VERSION:
        raise ManifestError(
            f"{beside}: made by version {version} of the phantom, this is version {_VERSION}; make "
            "the manifest again with phantom.make_cohort."
        )
    if missing_keys := {"subjects", "images"} - set(generator):
        raise ManifestError(f"{beside}: the generator block lacks {sorted(missing_keys)}.")
    protocol_from({k: v for k, v in generator.items() if k not in ("subjects", "images")})
    _whole("subjects", generator["subjects"], 1, 999)
    generator["images"] = _relative(generator["images"])
    return generator


def _jobs(subjects: int, protocol: Protocol, knobs: Knobs) -> list[tuple[int, str | None]]:
    if protocol.kind == "volumes":
        return [(index, None) for index in range(subjects)]
    result = []
    for index in range(subjects):
        who = draw(index, protocol, knobs)
        result += [(index, lv) for lv in protocol.levels if not missing(who, lv, knobs)]
    return result


def _run(jobs, root, images, protocol, knobs, workers, progress, title) -> Iterator[dict]:
    """Rows of the jobs, in their order, whatever process each ran in."""
    tasks = [(job, root, images, protocol, knobs) for job in jobs]
    with contextlib.ExitStack() as stack:
        if workers == 1 or len(tasks) == 1:
            rows = map(_write, tasks)
        else:
            pool = stack.enter_context(ProcessPoolExecutor(min(workers, len(tasks))))
            rows = pool.map(_write, tasks, chunksize=1)
        if progress:
            from tqdm import tqdm

            rows = tqdm(rows, total=len(tasks), desc=title, unit="image")
        yield from rows


def _write(task) -> dict:
    """Draw and write one image with its label maps; the manifest's row."""
    (index, level), root, images, protocol, knobs = task
    who = draw(index, protocol, knobs)
    case = picture(who, level, protocol, knobs)
    paths = _paths(index, level, images, protocol)
    volume = case.volume(case.image)
    write(root / paths["image"], volume)
    row = {
        "subject": who.name, "image": paths["image"], "level": level, "sex": who.sex,
        "age": who.age, "center": f"center-{chr(ord('a') + who.center)}",
        "fat": case.fat_fraction,
    }  # fmt: skip
    for r, name in enumerate(protocol.rater_names):
        key = f"rater_{name}"
        row[key] = paths[key] if case.rated[r] else ""
        if case.rated[r]:
            write(root / paths[key], case.volume(case.labels[r]))
    row["sha256_image"] = checksum(volume)
    return row


def _checksums(path: Path) -> tuple[str, str]:
    """Of the voxels, which does not depend on the compressor, and of the file's bytes."""
    return checksum(read(path)), hashlib.sha256(path.read_bytes()).hexdigest()


def _paths(index: int, level: str | None, images: str, protocol: Protocol) -> dict[str, str]:
    subject = f"sub-{index + 1:03d}"
    stem = subject if level is None else f"{subject}_{slug(level)}"
    base = f"{images}/{subject}/{stem}"
    return {"image": f"{base}_T2w.nii.gz"} | {
        f"rater_{name}": f"{base}_rater-{name}.nii.gz" for name in protocol.rater_names
    }


def _whole(name: str, value, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingsError(f"{name}: expected a whole number from {low} to {high}, got {value!r}.")


def _relative(images) -> str:
    path = PurePosixPath(str(images))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in str(images):
        raise SettingsError(
            "images: expected a folder below the manifest's, such as 'data/phantom', "
            f"got {images!r}."
        )
    return str(path)


def _plain(value):
    return list(value) if isinstance(value, tuple) else value
