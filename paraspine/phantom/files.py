"""Files of a cohort: paths, jobs, and drawing them in parallel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import PurePosixPath

from paraspine.arrays import SettingsError
from paraspine.phantom.settings import PhantomConfig, Protocol
from paraspine.phantom.simulate import picture, slug
from paraspine.phantom.subjects import draw, missing
from paraspine.volumes import checksum, write

__all__ = ["VERSION", "check_folder", "jobs_of", "paths_of", "run"]

#: Version of the phantom: increase when the same settings give other images.
VERSION = 2


def jobs_of(
    subjects: int, protocol: Protocol, config: PhantomConfig
) -> list[tuple[int, str | None]]:
    """Subject (from 0) and level of every image of a cohort, in the manifest's order."""
    if protocol.kind == "volumes":
        return [(index, None) for index in range(subjects)]
    result = []
    for index in range(subjects):
        who = draw(index, protocol, config)
        result += [(index, lv) for lv in protocol.levels if not missing(who, lv, config)]
    return result


def run(jobs, root, images, protocol, config, workers, progress, title) -> Iterator[dict]:
    """Rows of the jobs, in their order, whatever process each ran in."""
    tasks = [(job, root, images, protocol, config) for job in jobs]
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
    """Draw one image, write it and its label maps (or the columns asked for); its row."""
    (index, level, only), root, images, protocol, config = task
    who = draw(index, protocol, config)
    case = picture(who, level, protocol, config)
    paths = paths_of(index, level, images, protocol)
    files = {"image": case.volume(case.image)}
    for r, name in enumerate(protocol.rater_names):
        if case.rated[r]:
            files[f"rater_{name}"] = case.volume(case.labels[r])
    for column in files if only is None else only:
        if column in files:
            write(root / paths[column], files[column])
    row = {
        "subject": who.name, "image": paths["image"], "level": level, "sex": who.sex,
        "age": who.age, "center": f"center-{chr(ord('a') + who.center)}",
        "fat": case.fat_fraction,
    }  # fmt: skip
    row |= {c: paths[c] if c in files else "" for c in paths if c != "image"}
    row["sha256_image"] = checksum(files["image"])
    return row


def paths_of(index: int, level: str | None, images: str, protocol: Protocol) -> dict[str, str]:
    """Paths of an image and its label maps, by column of the manifest."""
    subject = f"sub-{index + 1:03d}"
    stem = subject if level is None else f"{subject}_{slug(level)}"
    base = f"{images}/{subject}/{stem}"
    return {"image": f"{base}_T2w.nii.gz"} | {
        f"rater_{name}": f"{base}_rater-{name}.nii.gz" for name in protocol.rater_names
    }


def check_folder(images) -> str:
    """A folder below the manifest's, as text; `SettingsError` for any other."""
    path = PurePosixPath(str(images))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in str(images):
        raise SettingsError(
            "images: expected a folder below the manifest's, such as 'data/phantom', "
            f"got {images!r}."
        )
    return str(path)
